"""Routes of blobs: the part of Azure's Blob service that its clients use."""

from __future__ import annotations

from verdazul.api.openapi.operation import BYTES, Answer, Operation

_ETAG = ("ETag", "Last-Modified")
_XML = "application/xml"
_OPENED_BY = {"store.blob.x": ("signature", "bearer"), "uploads": ("signature",)}
_TAGS = {"store.blob.x": ("Blobs", "Blobs"), "uploads": ("Uploads", "Uploads")}


def _below(root: str) -> dict[str, Operation]:
    name, tag = _TAGS[root]
    one, security = f"{root}/{{container}}/{{path*}}", _OPENED_BY[root]
    return {
        f"GET {root}/{{container}}": Operation(
            f"{name}_List",
            tag,
            "List one page of a container",
            {200: Answer("The page.", "Blob", media=_XML)},
            query=("comp", "prefix", "delimiter", "marker", "maxresults", "include"),
            errors=(400, 403, 404),
            security=security,
        ),
        f"HEAD {one}": Operation(
            f"{name}_GetProperties",
            tag,
            "Say what is known of a blob",
            {200: Answer("Its size, time and metadata are in the headers.", headers=_ETAG)},
            errors=(400, 403, 404),
            security=security,
        ),
        f"GET {one}": Operation(
            f"{name}_Get",
            tag,
            "Read a blob, or the part of it that is asked for",
            {
                200: Answer("All of it.", "Blob", _ETAG, BYTES),
                206: Answer("The part.", "Blob", (*_ETAG, "Content-Range"), BYTES),
            },
            headers=("Range", "x-ms-range"),
            errors=(400, 403, 404, 416),
            security=security,
        ),
        f"PUT {one}": Operation(
            f"{name}_Put",
            tag,
            "Write a blob, one block of it, the list of its blocks, or its metadata",
            {
                200: Answer("The metadata is changed.", headers=_ETAG),
                201: Answer("It is written; a whole blob is said with its ETag."),
            },
            body="Blob",
            media=BYTES,
            query=("comp", "blockid"),
            headers=("x-ms-blob-type", "If-None-Match", "Content-MD5"),
            errors=(400, 403, 404, 409, 413),
            security=security,
        ),
    }


STORAGE = {key: one for root in _OPENED_BY for key, one in _below(root).items()}
