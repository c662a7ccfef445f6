"""A storage account for tests: the few requests that reading takes, and every way of being let in.

Signatures are judged, not waved through: an account's key by Azure's rules for shared keys, a
shared access signature by making it again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from azure.storage.blob import generate_container_sas

from verdazul.model.datastore import Credentials, CredentialsType, DatastoreSpec, DatastoreType

NAME = "mymodels"
CONTAINER = "production"
KEY = base64.b64encode(b"the key of this account").decode()
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type"),
    *("date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


@dataclass
class Account:
    """`blobs` by path; `folders` are those that a hierarchical namespace lists."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    executables: set[str] = field(default_factory=set)
    is_public: bool = False
    cut: int | None = None
    asked: list[str] = field(default_factory=list)

    def store(self, **said: Any) -> DatastoreSpec:
        """A datastore that names it, opened by its key unless said otherwise."""
        credentials = Credentials(type=CredentialsType.ACCOUNT_KEY, account_key=KEY)
        return DatastoreSpec(
            **{
                "name": "weights",
                "type": DatastoreType.BLOB,
                "account_name": NAME,
                "container_name": CONTAINER,
                "endpoint": f"127.0.0.1:{self.port}",
                "protocol": "http",
                "credentials": credentials,
                **said,
            }
        )


@contextlib.contextmanager
def serving(account: Account) -> Iterator[Account]:
    """On a free port, until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            _answer(self, account)

        def do_GET(self) -> None:
            _answer(self, account)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    account.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, account: Account) -> None:
    parts = urlsplit(request.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    account.asked.append(f"{request.command} {unquote(parts.path)}")
    if not _is_let_in(request, account, parts.path, query):
        return _send(request, 403, code="AuthenticationFailed")
    _, account_name, container, *rest = unquote(parts.path).split("/")
    if account_name != NAME or container != CONTAINER:
        return _send(request, 404, code="ContainerNotFound")
    if query.get("comp") == "list":
        return _send(request, 200, _listing(account, query.get("prefix", "")), "application/xml")
    path = "/".join(rest)
    if path not in account.blobs:
        return _send(request, 404, code="BlobNotFound")
    return _send_blob(request, account, path)


def _send_blob(request: BaseHTTPRequestHandler, account: Account, path: str) -> None:
    content = account.blobs[path]
    part, status, headers = content, 200, {}
    asked = request.headers.get("x-ms-range") or request.headers.get("range")
    if asked and content:
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part, status = content[int(first) : int(last) + 1], 206
        end = int(first) + len(part) - 1
        headers["Content-Range"] = f"bytes {first}-{end}/{len(content)}"
    elif asked:
        return _send(request, 416, code="InvalidRange")
    headers["x-ms-blob-type"] = "BlockBlob"
    if path in account.executables:
        headers["x-ms-meta-executable"] = "true"
    return _send(request, status, part, cut=account.cut, **headers)


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    media: str = "application/octet-stream",
    *,
    code: str = "",
    cut: int | None = None,
    **headers: str,
) -> None:
    request.send_response(status)
    shown = {"ETag": '"0x1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **headers}
    if code:
        shown["x-ms-error-code"] = code
    for name, value in {**shown, "Content-Type": media, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body[:cut])
        if cut is not None and cut < len(body):
            request.close_connection = True


def _listing(account: Account, prefix: str) -> bytes:
    rows = [
        f"<Blob><Name>{escape(path)}</Name><Properties><Content-Length>{len(content)}"
        "</Content-Length><BlobType>BlockBlob</BlobType></Properties>"
        + ("<Metadata><executable>true</executable></Metadata>" * (path in account.executables))
        + "</Blob>"
        for path, content in sorted(account.blobs.items())
        if path.startswith(prefix)
    ] + [
        f"<Blob><Name>{escape(path)}</Name><Properties><Content-Length>0</Content-Length>"
        "<BlobType>BlockBlob</BlobType></Properties><Metadata><hdi_isfolder>true</hdi_isfolder>"
        "</Metadata></Blob>"
        for path in sorted(account.folders)
        if path.startswith(prefix)
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
        f"{''.join(rows)}</Blobs><NextMarker /></EnumerationResults>"
    ).encode()


def _is_let_in(
    request: BaseHTTPRequestHandler, account: Account, path: str, query: dict[str, str]
) -> bool:
    told = request.headers.get("Authorization", "")
    if told.startswith(f"SharedKey {NAME}:"):
        return hmac.compare_digest(told, f"SharedKey {NAME}:{_shared_key(request, path, query)}")
    if query.get("sig"):
        return _is_signed(query)
    return account.is_public


def _is_signed(query: dict[str, str]) -> bool:
    limits: dict[str, Any] = {
        name: query[short]
        for name, short in (("start", "st"), ("protocol", "spr"))
        if short in query
    }
    again = generate_container_sas(
        account_name=NAME,
        container_name=CONTAINER,
        account_key=KEY,
        permission=query["sp"],
        expiry=query["se"],
        **limits,
    )
    is_whole = dict(parse_qsl(again)).get("sig") == query["sig"]
    until = datetime.fromisoformat(query["se"])
    return is_whole and until > datetime.now(UTC)


def _shared_key(request: BaseHTTPRequestHandler, path: str, query: dict[str, str]) -> str:
    head = {name.lower(): value for name, value in request.headers.items()}
    lines = [request.command, *(head.get(name, "") for name in _SIGNED)]
    lines[3] = "" if lines[3] == "0" else lines[3]
    if "x-ms-date" in head:
        lines[6] = ""
    lines += [f"{name}:{head[name]}" for name in sorted(head) if name.startswith("x-ms-")]
    resource = f"/{NAME}{path}" + "".join(
        f"\n{name.lower()}:{query[name]}" for name in sorted(query)
    )
    text = "\n".join((*lines, resource)).encode()
    digest = hmac.new(base64.b64decode(KEY), text, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
