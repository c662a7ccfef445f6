"""Azure Blob's own words: headers that describe a blob, lists in XML, ranges. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from xml.sax.saxutils import escape

from verdazul.core.blobs import Blob, Listing
from verdazul.model.errors import UserError

_META = "x-ms-meta-"
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")
_BLOCK = re.compile(r"<(?:Latest|Committed|Uncommitted)>([^<]{1,200})</")
_META_LIMIT = 8192  # bytes, as Azure has it
TYPE = "application/octet-stream"


class RangeNotSatisfiable(UserError):
    """The range begins behind the end of the blob."""

    default_code = "InvalidRange"
    http_status = 416


def headers_of(blob: Blob) -> dict[str, str]:
    """What an answer says of a blob, its size apart."""
    return {
        "ETag": blob.etag,
        "Last-Modified": http_date(blob.modified_at),
        "x-ms-blob-type": "BlockBlob",
        "Accept-Ranges": "bytes",
        **{f"{_META}{name}": value for name, value in blob.metadata.items()},
    }


def http_date(seconds: float) -> str:
    """As HTTP writes a time."""
    return formatdate(seconds, usegmt=True)


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The caller's own words about a blob. Raises UserError when they are too many."""
    found = {
        name[len(_META) :]: value
        for name, value in headers.items()
        if name.lower().startswith(_META) and len(name) > len(_META)
    }
    if sum(len(name) + len(value) for name, value in found.items()) > _META_LIMIT:
        raise UserError(
            f"the metadata is over {_META_LIMIT} bytes", code="MetadataTooLarge", fix="say less"
        )
    return found


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """(start, end), end not included, of `bytes=a-b`; None when no range is asked for."""
    if not text:
        return None
    match = _RANGE.fullmatch(text.strip())
    if not match:
        raise UserError(
            f"the range is {text[:40]!a}; it must be bytes=<first>-<last>",
            code="InvalidHeaderValue",
        )
    start, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if start >= size or last < start:
        raise RangeNotSatisfiable(f"the range {text[:40]} lies outside of {size} bytes")
    return start, min(last + 1, size)


def read_block_list(xml: bytes) -> tuple[str, ...]:
    """The ids of a block list, in order. Read by pattern: an XML parser would believe entities."""
    text = xml.decode("utf-8", "replace")
    if "<BlockList" not in text:
        raise UserError("the body is no <BlockList>", code="InvalidXmlDocument")
    return tuple(match[1].strip() for match in _BLOCK.finditer(text))


def listing_xml(container: str, prefix: str, page: Listing, *, with_metadata: bool) -> str:
    """A page as List Blobs answers it."""
    inner = "".join(_blob_xml(blob, with_metadata=with_metadata) for blob in page.blobs)
    inner += "".join(
        f"<BlobPrefix><Name>{_text(folder)}</Name></BlobPrefix>" for folder in page.folders
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<EnumerationResults ContainerName="{_text(container)}"><Prefix>{_text(prefix)}</Prefix>'
        f"<Blobs>{inner}</Blobs><NextMarker>{_text(page.next_marker)}</NextMarker>"
        "</EnumerationResults>"
    )


def _blob_xml(blob: Blob, *, with_metadata: bool) -> str:
    metadata = f"<Metadata>{''.join(_metadata(blob))}</Metadata>" if with_metadata else ""
    return (
        f"<Blob><Name>{_text(blob.path)}</Name><Properties>"
        f"<Last-Modified>{http_date(blob.modified_at)}</Last-Modified>"
        f"<Etag>{_text(blob.etag)}</Etag><Content-Length>{blob.size}</Content-Length>"
        f"<Content-Type>{TYPE}</Content-Type><BlobType>BlockBlob</BlobType>"
        f"</Properties>{metadata}</Blob>"
    )


def _metadata(blob: Blob) -> Iterator[str]:
    for name, value in blob.metadata.items():
        if re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            yield f"<{name}>{_text(value)}</{name}>"


def _text(text: str) -> str:
    """Escaped; what XML cannot hold at all is left out."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text))
