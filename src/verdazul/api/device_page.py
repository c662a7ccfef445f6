"""The page where a person allows a login: type the code, see for whom it is, give one's password.

Two plain forms without scripts. There is no cookie, so no other site can act in a person's name:
each form has to bring the code, and the second one a ticket that shows that the first was passed,
with the password. Nothing that was typed in is shown again but the user's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from starlette.requests import Request
from starlette.responses import Response

from verdazul.api.arm import Rule
from verdazul.api.forms import read_form, source_of
from verdazul.api.pages import login_form, page, program_of, wrong
from verdazul.control import logins
from verdazul.control.logins import Code
from verdazul.control.world import World
from verdazul.model.errors import Problem, Retryable, UserError, VerdazulError

PATH = "devicelogin"
Values = Mapping[str, str]
_KIND = "device-page"
_TICKET_SECONDS = 600
_BAD, _FORBIDDEN, _BUSY = 400, 403, 429
_ENDED = "this login has ended or was answered already; begin it again in the program"


@dataclass(frozen=True, slots=True)
class DevicePage:
    """GET shows the first form, POST answers both."""

    world: World

    def public_rules(self) -> list[Rule]:
        """Paths from the root; they need no bearer token."""
        return [Rule("GET", PATH, self.show), Rule("POST", PATH, self.answer)]

    async def show(self, request: Request, values: Values) -> Response:
        """The form for the code."""
        del request, values
        return page(_code_form())

    async def answer(self, request: Request, values: Values) -> Response:
        """Either form. What was typed in wrongly is told on the page."""
        del values
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return page(wrong("another site sent this form; open this page yourself"), _FORBIDDEN)
        try:
            form = await read_form(request)
            if "ticket" in form:
                return await self._allow(form, source_of(request))
            return await self._find(form.get("code", ""), source_of(request))
        except Retryable as error:
            return page(wrong(error.problem.message) + _code_form(), _BUSY)
        except UserError as error:
            return page(wrong(error.problem.message) + _code_form(), _BAD)

    async def _find(self, typed: str, source: str) -> Response:
        now, codes = self.world.clock.now(), self.world.guesses.codes
        wait = codes.wait(source, now)
        if wait:
            told = f"too many wrong codes; try again in {wait:.0f} s"
            return page(wrong(told) + _code_form(), _BUSY)
        code = await logins.find_code(self.world, typed)
        if code is None:
            codes.failed(source, now)
            told = "there is no open login of this code; it may have expired"
            return page(wrong(told) + _code_form(), _BAD)
        codes.succeeded(source)
        return page(self._login_form(code))

    async def _allow(self, form: Mapping[str, str], source: str) -> Response:
        code = await self._of_ticket(form["ticket"])
        if code is None:
            return page(wrong(_ENDED) + _code_form(), _BAD)
        if form.get("choice") == "deny":
            await logins.settle(self.world, code.text, None)
            return page("<p>The login was denied. You may close this page.</p>")
        name = form.get("user", "").strip()
        found = await logins.logged_in(self.world, name, form.get("password", ""), source)
        if isinstance(found, Problem):
            status = _BUSY if found.code == logins.LOCKED else _BAD
            return page(wrong(found.message) + self._login_form(code, name), status)
        if not await logins.settle(self.world, code.text, found):
            return page(wrong(_ENDED) + _code_form(), _BAD)
        who = escape(found.name)
        return page(f"<p>You are logged in as <b>{who}</b>. You may close this page.</p>")

    def _login_form(self, code: Code, name: str = "") -> str:
        expires = self.world.clock.now() + _TICKET_SECONDS
        ticket = self.world.secrets.seal(json.dumps([_KIND, code.text, expires]))
        return (
            f"<p>The code <b>{code.text}</b> was shown by {program_of(code.client_id)}. Whoever "
            "started it will act in your name. Go on only if that was you.</p>"
            f"{login_form(PATH, ticket, name)}"
        )

    async def _of_ticket(self, ticket: str) -> Code | None:
        """The login that the first form has led to, while both are open."""
        try:
            kind, text, expires = json.loads(self.world.secrets.open(ticket))
            is_good = kind == _KIND and self.world.clock.now() < expires
        except (VerdazulError, ValueError, TypeError):
            return None
        return await logins.find_code(self.world, text) if is_good else None


def _code_form() -> str:
    return (
        f'<form method="post" action="/{PATH}"><label for="code">The code that the program shows'
        '</label><input id="code" name="code" autocomplete="off" autofocus required>'
        "<button>Next</button></form>"
    )
