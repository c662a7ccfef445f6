"""A tiny OpenID provider on loopback: what it tells can be changed, and it can go down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.gateway.token_kit import EcIssuer

KEY = EcIssuer("", kid="one").jwk()


@dataclass
class Provider:
    """`told` by path; a number is a status, bytes are a body as it is."""

    url: str
    told: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def tell(self, *keys: dict[str, str], issuer: str = "") -> None:
        self.told["/.well-known/openid-configuration"] = {
            "issuer": issuer or self.url,
            "jwks_uri": f"{self.url}/keys",
        }
        self.told["/keys"] = {"keys": list(keys)}


@contextmanager
def provider() -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            answer = known.told.get(self.path, 404)
            status = answer if isinstance(answer, int) else 200
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Provider(f"http://127.0.0.1:{server.server_port}")
    known.tell(KEY)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
