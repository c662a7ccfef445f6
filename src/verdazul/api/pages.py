"""The pages of the home, which are plain forms: their look, and what browsers may do with them.

No cookie, no script of others, nothing kept. Nothing that was typed in is shown again but the
user's name.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

PROGRAMS = {"04b07795-8ddb-461a-bbee-02f9e1bf7b46": "the command line (az, verdazul or an SDK)"}
_SEND = "document.forms[0].submit()"
_SEND_HASH = base64.b64encode(hashlib.sha256(_SEND.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem;"
    "color:#1b2430;background:#fff}label{display:block;margin:1rem 0 .25rem}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}"
    "button{font:inherit;margin:1.25rem .5rem 0 0;padding:.5rem 1.25rem}"
    ".wrong{border-left:4px solid #b3261e;padding-left:.75rem}"
    "@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}}"
)


def program_of(client_id: str) -> str:
    """What people call a program."""
    return escape(PROGRAMS.get(client_id.lower(), f"the program {client_id}"))


def wrong(message: str) -> str:
    """What was wrong, for people who see and who hear."""
    return f'<p class="wrong" role="alert">{escape(message)}</p>'


def login_form(path: str, ticket: str, name: str) -> str:
    """Name and password; `ticket` says what they are for."""
    return (
        f'<form method="post" action="/{path}">'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">'
        '<label for="user">User name</label>'
        f'<input id="user" name="user" autocomplete="username" value="{escape(name)}">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password">'
        '<button name="choice" value="allow">Log in</button>'
        '<button name="choice" value="deny">This was not me</button></form>'
    )


def sent_on(address: str, fields: Mapping[str, str]) -> str:
    """A form that the browser sends to a program by itself, or by its button without scripts."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    return (
        f'<form method="post" action="{escape(address)}">{inputs}'
        f"<button>Back to the program</button></form><script>{_SEND}</script>"
    )


def page(body: str, status: int = 200, *, leads_to: str = "") -> HTMLResponse:
    """The whole page; its forms go here, or to the program at `leads_to`."""
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SEND_HASH}'; "
        f"form-action 'self'{' ' * bool(leads_to)}{leads_to}; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in to Verdazul'
        '</title><meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><main><h1>Log in to Verdazul</h1>{body}</main>"
        "</body></html>",
        status,
        headers={**_HEADERS, "Content-Security-Policy": policy},
    )
