"""The part of Azure's Blob service that unmodified clients use, on the same address as all else.

An address opens nothing by itself: the signature in its query allows some acts on one container
for a while. Containers are those of datastores and of uploads; those of datastores open to a
caller's own token, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from verdazul.api.arm import BODY_LIMIT_BYTES, Handler, Rule, failure, read_body
from verdazul.api.blob_words import (
    TYPE,
    headers_of,
    listing_xml,
    metadata_of,
    read_block_list,
    read_range,
)
from verdazul.api.discovery import BLOBS
from verdazul.api.identity import Identity
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_CONTAINER, Blob, Place, listing
from verdazul.core.grants import Act, Grant, read_grant
from verdazul.model.errors import Conflict, Forbidden, NotFound, UserError, VerdazulError
from verdazul.model.show import shown

Values = Mapping[str, str]
GRANT_SECONDS = 3600.0
_PAGE = 5000
_PARTIAL = 206


def signed(world: World, container: str, acts: frozenset[Act], *, seconds: float) -> str:
    """A query that opens this container for these acts, as clients put it behind an address."""
    grant = Grant(container, acts, world.clock.now() + seconds)
    return f"sp={grant.letters}&sr=c&sig={world.secrets.seal(grant.text())}"


@dataclass(frozen=True, slots=True)
class BlobRoutes:
    """Handlers of blobs; they check the signature, call the store and render."""

    world: World
    identity: Identity

    def public_rules(self) -> list[Rule]:
        """Paths from the root that carry their own signature instead of a token."""
        rules = []
        for root in (BLOBS, "uploads"):
            one = f"{root}/{{container}}/{{path*}}"
            rules += [
                Rule("GET", f"{root}/{{container}}", _in_azures_words(self.list)),
                Rule("HEAD", one, _in_azures_words(self.head)),
                Rule("GET", one, _in_azures_words(self.get)),
                Rule("PUT", one, _in_azures_words(self.put)),
            ]
        return rules

    async def list(self, request: Request, values: Values) -> Response:
        """One page of a container."""
        container = values["container"]
        await self._check(request, Act.LIST, container)
        asked = request.query_params
        if asked.get("comp") != "list":
            raise UserError(
                "only comp=list is possible on a container", code="UnsupportedQueryParameter"
            )
        prefix = asked.get("prefix", "")
        page = listing(
            await self.world.blobs.list(container, prefix),
            prefix=prefix,
            delimiter=asked.get("delimiter", ""),
            marker=asked.get("marker", ""),
            most=_most(asked.get("maxresults", "")),
        )
        wants = "metadata" in asked.get("include", "")
        xml = listing_xml(container, prefix, page, with_metadata=wants)
        return Response(xml, media_type="application/xml")

    async def head(self, request: Request, values: Values) -> Response:
        """What is known of one blob."""
        blob = await self._find(request, values)
        headers = {**headers_of(blob), "Content-Length": str(blob.size), "Content-Type": TYPE}
        return Response(headers=headers)

    async def get(self, request: Request, values: Values) -> Response:
        """One blob, or the part of it that is asked for."""
        blob = await self._find(request, values)
        asked = request.headers.get("x-ms-range") or request.headers.get("range") or ""
        part = read_range(asked, blob.size)
        start, end = part or (0, blob.size)
        headers = {**headers_of(blob), "Content-Length": str(end - start)}
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        content = self.world.blobs.read(_place(values), start=start, length=end - start)
        return StreamingResponse(content, _PARTIAL if part else 200, headers, media_type=TYPE)

    async def put(self, request: Request, values: Values) -> Response:
        """A blob, one block of it, the list of its blocks, or its metadata."""
        await self._check(request, Act.WRITE, values["container"])
        place, act = _place(values), request.query_params.get("comp", "")
        if act == "block":
            return await self._put_block(request, place)
        if act == "blocklist":
            await self._refuse_existing(request, place)
            blocks = read_block_list(await read_body(request, BODY_LIMIT_BYTES))
            metadata = metadata_of(request.headers)
            return _written(await self.world.blobs.commit_blocks(place, blocks, metadata=metadata))
        if act == "metadata":
            blob = await self.world.blobs.describe(place, metadata_of(request.headers))
            return _written(blob, 200)
        if act:
            raise UserError(f"comp={act[:40]!a} is not possible", code="UnsupportedQueryParameter")
        return await self._put_blob(request, place)

    async def _put_blob(self, request: Request, place: Place) -> Response:
        kind = request.headers.get("x-ms-blob-type", "BlockBlob")
        if kind.lower() != "blockblob":
            raise UserError(
                f"x-ms-blob-type is {shown(kind)}; only BlockBlob is possible",
                code="InvalidHeaderValue",
            )
        if request.headers.get("x-ms-copy-source"):
            raise UserError("copying is not possible; send the content", code="NotSupportedYet")
        await self._refuse_existing(request, place)
        blob = await self.world.blobs.write(
            place,
            request.stream(),
            metadata=metadata_of(request.headers),
            md5=request.headers.get("content-md5", ""),
        )
        return _written(blob)

    async def _put_block(self, request: Request, place: Place) -> Response:
        await self.world.blobs.write_block(
            place,
            request.query_params.get("blockid", ""),
            request.stream(),
            md5=request.headers.get("content-md5", ""),
        )
        return Response(status_code=201)

    async def _refuse_existing(self, request: Request, place: Place) -> None:
        """`If-None-Match: *` is how clients say that they would not replace anything."""
        if request.headers.get("if-none-match", "").strip() != "*":
            return
        try:
            await self.world.blobs.find(place)
        except NotFound:
            return
        raise Conflict(
            f'the blob "{place.path[:200]}" exists already',
            code="BlobAlreadyExists",
            fix="send it without If-None-Match to replace it",
        )

    async def _find(self, request: Request, values: Values) -> Blob:
        await self._check(request, Act.READ, values["container"])
        return await self.world.blobs.find(_place(values))

    async def _check(self, request: Request, act: Act, container: str) -> None:
        if container == DEFAULT_CONTAINER and await self.identity.opens_storage(request):
            return
        try:
            grant = read_grant(self.world.secrets.open(request.query_params.get("sig", "")))
        except VerdazulError:
            grant = None
        if grant is None or not grant.allows(act, container, self.world.clock.now()):
            raise Forbidden(
                "the signature is not valid for this, or has expired",
                code="AuthenticationFailed",
                fix="begin a new upload, or ask the datastore for a new secret",
            )


def _in_azures_words(handler: Handler) -> Handler:
    """Clients read the code of a refusal in a header: a HEAD has no body."""

    async def answered(request: Request, values: Values) -> Response:
        try:
            return await handler(request, values)
        except VerdazulError as error:
            response = failure(error)
            response.headers["x-ms-error-code"] = error.problem.code
            return response

    return answered


def _place(values: Values) -> Place:
    return Place(values["container"], values["path"])


def _written(blob: Blob, status: int = 201) -> Response:
    known = headers_of(blob)
    return Response(status_code=status, headers={n: known[n] for n in ("ETag", "Last-Modified")})


def _most(text: str) -> int:
    if not text:
        return _PAGE
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _PAGE):
        raise UserError(
            f"maxresults is {text[:20]!a}; it must be 1 to {_PAGE}",
            code="OutOfRangeQueryParameterValue",
        )
    return int(text)
