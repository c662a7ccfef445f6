"""An HTTP request as a WSGI environ: what Flask and Werkzeug read a request from."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from verdazul_serve.inputs import split_target
from verdazul_serve.reading import Request

_OWN_KEYS = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_PORTS = {"http": "80", "https": "443"}


def environ_of(request: Request) -> dict[str, Any]:
    """The body ends where its bytes end, so a chunked one needs no length."""
    path, query = split_target(request.target)
    scheme = "https" if request.header("x-forwarded-proto") == "https" else "http"
    name, _, port = (request.header("host") or "").partition(":")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": request.target,
        "REQUEST_URI": request.target,
        "SERVER_PROTOCOL": "HTTP/1.1" if request.http11 else "HTTP/1.0",
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port or _PORTS[scheme],
        "REMOTE_ADDR": "127.0.0.1",  # who calls an instance is the proxy on its machine
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **_headers(request),
    }


def _headers(request: Request) -> dict[str, str]:
    """Repeated ones are joined; names with an underscore could pose as others and are left out."""
    found: dict[str, str] = {}
    for name, value in request.pairs:
        if b"_" in name:
            continue
        key = _OWN_KEYS.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        is_repeated = key in found and name not in _OWN_KEYS
        found[key] = f"{found[key]},{text}" if is_repeated else text
    return found
