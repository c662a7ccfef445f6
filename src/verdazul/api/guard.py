"""Who may do what a route does: asked before anything else is, so that a refusal tells nothing.

The right is looked for at the endpoint that the path names, else at the workspace. Some routes lead
further: an operation belongs to its endpoint, a deletion also to who began it; a list of endpoints
is cut to those that may be seen; whoever has any role sees the subscription, and whoever may read
roles anywhere those that Azure has everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from verdazul.api.arm import Links, Rule, workspace_path
from verdazul.control import permissions
from verdazul.control.activity import has_begun
from verdazul.control.world import World
from verdazul.core.access import Permissions
from verdazul.core.callers import Caller
from verdazul.core.records import OperationKind
from verdazul.model.actions import (
    AUTHORIZATION,
    CHANGE_OWN_PASSWORD,
    READ_ENDPOINT,
    SEE_ONESELF,
    SEE_SUBSCRIPTION,
    SEE_TENANT,
)

_LIST = "onlineEndpoints"
_EVERYWHERE = f"providers/{AUTHORIZATION}/roleDefinitions"
_FOR_ALL = {SEE_TENANT, SEE_ONESELF, CHANGE_OWN_PASSWORD}
_FOR_MANY = {*_FOR_ALL, SEE_SUBSCRIPTION}


@dataclass(frozen=True, slots=True)
class Guard:
    """Stands before every route that needs a caller."""

    world: World
    links: Links

    async def check(
        self, request: Request, caller: Caller, rule: Rule, values: Mapping[str, str]
    ) -> None:
        """Raise Forbidden (AuthorizationFailed) unless the caller may."""
        action, endpoint = rule.action, values.get("endpoint", "")
        if "operation" in values:
            return await self._check_operation(caller, rule, values["operation"])
        is_list = rule.path.endswith(f"/{_LIST}")
        is_wider = is_list or action in _FOR_MANY or rule.path.startswith(_EVERYWHERE)
        found = await permissions.of_caller(self.world, caller, at=None if is_wider else endpoint)
        if is_list:
            request.state.seen_endpoints = found.endpoints(action)
        request.state.sees_subscription = found.are_any
        if is_wider and _passes(found, rule):
            return None
        if not found.allow(action, endpoint):
            raise permissions.refused(found, action, self._scope(rule, endpoint), endpoint)
        return None

    async def _check_operation(self, caller: Caller, rule: Rule, id_: str) -> None:
        """Roles given at an endpoint go with it; who deleted it still has to see how that ended."""
        operation = await self.world.store.operation(id_)
        endpoint = operation.endpoint if operation else ""
        found = await permissions.of_caller(self.world, caller, at=endpoint)
        if found.allow(READ_ENDPOINT, endpoint):
            return
        is_deletion = operation is not None and operation.kind is OperationKind.DELETE
        if not (is_deletion and await has_begun(self.world, caller, id_)):
            raise permissions.refused(found, READ_ENDPOINT, self._scope(rule, endpoint), endpoint)

    def _scope(self, rule: Rule, endpoint: str) -> str:
        if "workspaces/" not in rule.path and not endpoint:
            return f"/subscriptions/{self.links.settings.subscription}"
        below = f"/{_LIST}/{endpoint}" if endpoint else ""
        return f"{workspace_path(self.links.settings)}{below}"


def _passes(found: Permissions, rule: Rule) -> bool:
    """Whether a right somewhere, or none at all, is enough for this route."""
    if rule.action in _FOR_ALL or rule.path == "subscriptions":
        return True
    if rule.action == SEE_SUBSCRIPTION:
        return found.are_any
    return found.allow_somewhere(rule.action)


def sees_subscription(request: Request) -> bool:
    """Whether the caller has any role in it."""
    return bool(request.state.sees_subscription)


def seen_endpoints(request: Request) -> frozenset[str] | None:
    """The only endpoints, in lower case, that the caller of a list may see; None: all."""
    seen: frozenset[str] | None = getattr(request.state, "seen_endpoints", None)
    return seen
