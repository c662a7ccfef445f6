"""Logging in by the browser of this machine: open the page, wait for the code that it brings back.

The code comes to a port of the loopback that is open for this one answer. Who brings another
`state` than was sent is not listened to.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from verdazul.client.connection import Connection
from verdazul.client.issuer import CONTROL, Tokens, tokens_for
from verdazul.client.login import CLIENT_ID
from verdazul.model.errors import Retryable, UserError

_WAIT_SECONDS = 300.0
_DONE = b"<!doctype html><title>Verdazul</title><p>You may close this page."
_OTHER = b"<!doctype html><title>Verdazul</title><p>This is not the login that is waited for."


def can_open() -> bool:
    """Whether a browser of this machine can be shown to a person."""
    shown = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return shown


def by_browser(connection: Connection, tenant: str, *, say: Callable[[str], None]) -> Tokens:
    """Log in a person. Raises UserError (LoginFailed), Retryable (LoginTimeout)."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    hashed = hashlib.sha256(verifier.encode()).digest()
    with _Answers(("127.0.0.1", 0), state) as answers:
        redirect = f"http://localhost:{answers.server_port}"
        query = {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": f"{CONTROL}/.default offline_access openid profile",
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        page = f"{connection.address}/{tenant}/oauth2/v2.0/authorize?{urlencode(query)}"
        say(f"log in with the browser that opens; if none does, open {page}")
        webbrowser.open(page)
        told = answers.wait()
    if "code" not in told:
        raise UserError(
            f"the login was refused: {told.get('error_description') or told.get('error')}",
            code="LoginFailed",
            fix="log in again, or with --use-device-code",
        )
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": told["code"],
        "redirect_uri": redirect,
        "code_verifier": verifier,
    }
    return tokens_for(connection, tenant, form)


class _Answers(HTTPServer):
    """Waits for the browser to bring the answer to one question."""

    def __init__(self, address: tuple[str, int], state: str) -> None:
        super().__init__(address, _Handler)
        self.state = state
        self.told: Mapping[str, str] = {}

    def wait(self) -> Mapping[str, str]:
        """What it brought. Raises Retryable when nobody logs in."""
        ends = time.monotonic() + _WAIT_SECONDS
        while not self.told:
            self.timeout = ends - time.monotonic()
            if self.timeout <= 0:
                raise Retryable(
                    f"nobody logged in for {_WAIT_SECONDS:.0f} s",
                    code="LoginTimeout",
                    fix="log in again, or with --use-device-code",
                )
            self.handle_request()
        return self.told


class _Handler(BaseHTTPRequestHandler):
    server: _Answers
    timeout = 10  # so long a connection on which nothing is said holds up the next one

    def do_GET(self) -> None:
        told = dict(parse_qsl(urlsplit(self.path).query))
        is_ours = secrets.compare_digest(told.get("state", "").encode(), self.server.state.encode())
        if is_ours:
            self.server.told = told
        self.send_response(200 if is_ours else 400)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(_DONE if is_ours else _OTHER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the path holds the code."""
