"""The page to which a program leads its person to log in: by redirection, to a loopback address.

What the program asked for travels in a sealed ticket, so the form can be for nothing else. A
program whose address cannot be trusted is told nothing: the person is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from verdazul.api.arm import Rule
from verdazul.api.forms import read_form, source_of
from verdazul.api.pages import login_form, page, program_of, sent_on, wrong
from verdazul.control import browser_logins, logins
from verdazul.control.browser_logins import Asked
from verdazul.control.world import World
from verdazul.core.tenant import check_tenant
from verdazul.model.errors import Problem, Retryable, UserError, VerdazulError
from verdazul.model.oauth import TokenRefused

PATH = "browserlogin"
Values = Mapping[str, str]
_KIND = "browser-page"
_TICKET_SECONDS = 900
_BAD, _FORBIDDEN, _BUSY = 400, 403, 429
_ENDED = "this login has ended; begin it again in the program"


@dataclass(frozen=True, slots=True)
class BrowserPage:
    """GET of the authorization endpoint shows the form, POST answers it."""

    world: World

    def public_rules(self) -> list[Rule]:
        """Paths from the root; they need no bearer token."""
        return [
            Rule("GET", "{tenant}/oauth2/v2.0/authorize", self.show),
            Rule("POST", PATH, self.answer),
        ]

    async def show(self, request: Request, values: Values) -> Response:
        """The form, for what the program asks."""
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        asked = _asked(query)
        try:
            check_tenant(values["tenant"])
            logins.check_client(asked.client_id)
            browser_logins.check_redirect(asked.redirect_uri)
        except TokenRefused as error:
            return page(wrong(f"{error.problem.code}: {error.problem.message}"), _BAD)
        try:
            method, kind = query.get("code_challenge_method", ""), query.get("response_type", "")
            browser_logins.check(self.world, asked, kind, method)
        except TokenRefused as error:
            known = asked.mode if asked.mode in browser_logins.MODES else browser_logins.MODES[0]
            return _back(replace(asked, mode=known), _told(error))
        return self._form(asked, query.get("login_hint", ""))

    async def answer(self, request: Request, values: Values) -> Response:
        """What was typed in; the browser brings the program a code, or why there is none."""
        del values
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return page(wrong("another site sent this form; open this page yourself"), _FORBIDDEN)
        try:
            form = await read_form(request)
            asked = self._of_ticket(form.get("ticket", ""))
            if asked is None:
                return page(wrong(_ENDED), _BAD)
            return await self._answered(asked, form, source_of(request))
        except Retryable as error:
            return page(wrong(error.problem.message), _BUSY)
        except UserError as error:
            return page(wrong(error.problem.message), _BAD)

    async def _answered(self, asked: Asked, form: Mapping[str, str], source: str) -> Response:
        if form.get("choice") == "deny":
            return _back(asked, _told(TokenRefused("access_denied", 65004, "The login was denied")))
        name = form.get("user", "").strip()
        found = await logins.logged_in(self.world, name, form.get("password", ""), source)
        if isinstance(found, Problem):
            status = _BUSY if found.code == logins.LOCKED else _BAD
            return self._form(asked, name, told=wrong(found.message), status=status)
        code = await browser_logins.allow(self.world, asked, found)
        return _back(asked, {"code": code})

    def _form(self, asked: Asked, name: str, *, told: str = "", status: int = 200) -> Response:
        expires = self.world.clock.now() + _TICKET_SECONDS
        ticket = self.world.secrets.seal(json.dumps([_KIND, expires, *astuple(asked)]))
        said = (
            f"<p>{program_of(asked.client_id)} on this machine will act in your name. Go on only "
            "if you have just started it.</p>"
        )
        body = f"{told}{said}{login_form(PATH, ticket, name)}"
        return page(body, status, leads_to=_origin(asked))

    def _of_ticket(self, ticket: str) -> Asked | None:
        try:
            kind, expires, *told = json.loads(self.world.secrets.open(ticket))
            return Asked(*told) if kind == _KIND and self.world.clock.now() < expires else None
        except (VerdazulError, ValueError, TypeError):
            return None


def _asked(query: Mapping[str, str]) -> Asked:
    return Asked(
        client_id=query.get("client_id", ""),
        redirect_uri=query.get("redirect_uri", ""),
        scope=query.get("scope", ""),
        challenge=query.get("code_challenge", ""),
        state=query.get("state", ""),
        nonce=query.get("nonce", ""),
        mode=query.get("response_mode") or browser_logins.MODES[0],
    )


def _back(asked: Asked, fields: Mapping[str, str]) -> Response:
    """To the program, in the way that it asked for."""
    told = {**fields, "state": asked.state} if asked.state else dict(fields)
    if asked.mode == "form_post":
        return page(sent_on(asked.redirect_uri, told), leads_to=_origin(asked))
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(f"{asked.redirect_uri}{joint}{urlencode(told)}", 303, headers)


def _told(error: TokenRefused) -> dict[str, str]:
    said = f"{error.problem.code}: {error.problem.message}"
    return {"error": error.error, "error_description": said}


def _origin(asked: Asked) -> str:
    parts = urlsplit(asked.redirect_uri)
    return f"{parts.scheme}://{parts.netloc}"
