"""The activity log over HTTP, in Azure's shape, and how requests get into it.

Every request that may change something is made on somebody's behalf; what it changes is written
down by the store. What was refused, or only shown, is written down here, after the answer is known.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.activity_filter import read_filter
from verdazul.api.arm import PAGE_SIZE, Links, Rule
from verdazul.api.forms import source_of
from verdazul.api.resources import iso
from verdazul.control import activity
from verdazul.control.activity import State, Told
from verdazul.control.world import World
from verdazul.core.audit import Leaf, Origin
from verdazul.core.callers import Caller
from verdazul.model.actions import READ_ACTIVITY
from verdazul.model.errors import Problem, UserError, VerdazulError
from verdazul.model.show import shown
from verdazul.origin import on_behalf_of

Values = Mapping[str, str]
_log = logging.getLogger(__name__)
READS = frozenset({"GET", "HEAD"})
_PATH = "subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
_REFUSED = 400
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@dataclass(frozen=True, slots=True)
class ActivityRoutes:
    """`record` stands around every request that may change something."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        return [Rule("GET", _PATH, self.list, READ_ACTIVITY)]

    async def record(
        self,
        request: Request,
        caller: Caller,
        rule: Rule,
        answer: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Answer, and leave an entry whatever comes of it."""
        origin = self._origin(request, caller, rule)
        with on_behalf_of(origin) as asked:
            try:
                response = await answer()
            except VerdazulError as error:
                await _tried(activity.note_refusal(self.world, origin, error.problem))
                raise
            if response.status_code >= _REFUSED:
                await _tried(activity.note_refusal(self.world, origin, _problem(response)))
            elif not asked.is_told:
                await _tried(activity.note_act(self.world, origin))
            return response

    async def list(self, request: Request, values: Values) -> Response:
        """The newest entries that `$filter` leaves, newest first."""
        del values
        asked = request.query_params
        asked_for = read_filter(asked.get("$filter", ""), self.links.settings.subscription)
        before = _number(asked.get("$skiptoken"))
        wanted = replace(asked_for.wanted, before=before, most=PAGE_SIZE + 1)
        found = await activity.read(self.world, wanted, state=asked_for.state)
        body: dict[str, Any] = {"value": [self._event(told) for told in found[:PAGE_SIZE]]}
        if len(found) > PAGE_SIZE:
            words = urlencode({**asked, "$skiptoken": found[PAGE_SIZE - 1].number})
            body["nextLink"] = f"{self.links.address}{quote(request.url.path)}?{words}"
        return JSONResponse(body)

    def _origin(self, request: Request, caller: Caller, rule: Rule) -> Origin:
        path = unquote(request.url.path).rstrip("/")
        return Origin(
            self.world.ids.new(),
            self.world.clock.now(),
            caller,
            rule.action,
            path.removesuffix(f"/{rule.path.rpartition('/')[2]}") if _is_act(rule) else path,
            request.method,
            source_of(request),
        )

    def _event(self, told: Told) -> dict[str, Any]:
        entry, settings = told.entry, self.links.settings
        at, status = iso(entry.at), {"value": told.state.value, "localizedValue": told.state.value}
        action = {"value": entry.action, "localizedValue": entry.action}
        problem = told.problem
        return {
            "id": f"{entry.resource}/events/{entry.id}/ticks/{told.number}",
            "eventDataId": f"{entry.id}-{told.number}",
            "eventTimestamp": at,
            "submissionTimestamp": at,
            "caller": entry.name,
            "claims": {_OBJECT_ID: entry.caller, "name": entry.name},
            "operationName": action,
            "authorization": {"action": entry.action, "scope": entry.resource},
            "category": {"value": "Administrative", "localizedValue": "Administrative"},
            "channels": "Operation",
            "level": "Error" if told.state is State.FAILED else "Informational",
            "status": status,
            "subStatus": {"value": problem.code if problem else ""},
            "correlationId": entry.correlation,
            "operationId": entry.correlation,
            "resourceId": entry.resource,
            "resourceGroupName": settings.resource_group,
            "subscriptionId": settings.subscription,
            "httpRequest": {
                "clientRequestId": entry.id,
                "clientIpAddress": entry.address,
                "method": entry.method,
                "uri": f"{self.links.address}{quote(entry.resource)}",
            },
            "properties": {
                # Azure's properties are texts, and its clients read nothing else there.
                "changes": json.dumps([_change(leaf) for leaf in entry.leaves]),
                "statusMessage": str(problem) if problem else "",
            },
        }


async def _tried(note: Awaitable[None]) -> None:
    """A row of what changed nothing may be missing: a full disk keeps nobody from their keys."""
    try:
        await note
    except VerdazulError as error:
        _log.warning("the activity log lacks a row why=%s", error.problem.message)


def _is_act(rule: Rule) -> bool:
    return rule.action.endswith("/action")


def _change(leaf: Leaf) -> dict[str, str]:
    return {
        "resource": leaf.subject,
        "property": leaf.path,
        "before": leaf.before,
        "after": leaf.after,
    }


def _problem(response: Response) -> Problem:
    """What a refusal that was not raised says."""
    try:
        told = json.loads(bytes(response.body))
        return Problem.from_arm(told["error"])
    except (ValueError, KeyError, TypeError):
        return Problem(str(response.status_code), "refused")


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UserError(f"$skiptoken is {shown(text)}; no answer gave it", code="InvalidSkipToken")
    return int(text)
