"""Use cases of template deployments: begin one, carry it out, and tell what became of it.

A deployment is kept with its template (sealed: parameters may be secrets) until it has ended, so a
control plane that was killed goes on with it: every resource is put again, which changes nothing
where it is there already. Of those that ended, the newest are kept.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from verdazul.control.world import World
from verdazul.core.callers import Caller
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.records import Item
from verdazul.model.arm_expression import InvalidTemplate, Json
from verdazul.model.errors import Conflict, NotFound, Problem, VerdazulError
from verdazul.model.template import Place, Plan, Resource, read_template

KEPT = 100
_KIND = "templateDeployments"
_TURN = "template deployments"  # no endpoint is called so: names have no spaces


class TemplateState(StrEnum):
    """Azure's words."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class TemplateDeployment:
    """`done` are ids of resources that are there, `failed` is the one that could not be."""

    name: str
    id: str
    caller: Caller
    started_at: float
    parameters: dict[str, Any]
    resources: tuple[str, ...]
    state: TemplateState = TemplateState.RUNNING
    done: tuple[str, ...] = ()
    failed: str = ""
    outputs: dict[str, Any] | None = None
    problem: Problem | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Hands:
    """What carries a deployment out: put a resource and wait for it; read one's properties."""

    put: Callable[[Caller, str, dict[str, Json]], Awaitable[None]]
    get: Callable[[Caller, str], Awaitable[dict[str, Json]]]


async def begin(
    world: World, name: str, request: dict[str, Any], caller: Caller, place: Place
) -> tuple[TemplateDeployment, bool]:
    """Check it whole and accept it; True when there was none of that name.

    Raises InvalidTemplate, Conflict (DeploymentActive) while one of that name runs.
    """
    plan = read_template(request["template"], request["parameters"], place)
    async with world.turns.of(_TURN):
        known = await _find(world, name)
        if known and known.state is TemplateState.RUNNING:
            raise Conflict(
                f"the deployment {name} is still running",
                code="DeploymentActive",
                fix="wait until it has ended, cancel it, or choose another name",
            )
        made = TemplateDeployment(
            name,
            world.ids.new(),
            caller,
            world.clock.now(),
            dict(plan.parameters),
            tuple(resource.id for resource in plan.resources),
        )
        others = [one for one in await list_all(world) if one.name.lower() != name.lower()]
        ended = [one for one in others if one.state is not TemplateState.RUNNING]
        superfluous = ended[KEPT - 1 :]
        sealed = world.secrets.seal(json.dumps(request))
        forget = (ForgetItem(_KIND, one.name) for one in superfluous)
        await world.store.commit(*forget, PutItem(_item(made, world.clock.now(), sealed)))
    return made, known is None


async def carry_out(world: World, name: str, hands: Hands, place: Place) -> None:
    """Put its resources one after the other, until all are there, one fails or it is cancelled."""
    item = await world.store.item(_KIND, name)
    if item is None or not item.sealed:
        return
    request = json.loads(world.secrets.open(item.sealed))
    now = _read(item)
    try:
        plan = read_template(request["template"], request["parameters"], place)
        for resource in plan.resources:
            now = replace(now, failed=resource.id)
            body = await _body(plan, resource, now.caller, hands)
            await hands.put(now.caller, resource.id, body)
            now = replace(now, done=(*now.done, resource.id), failed="")
            if not await _advance(world, now):
                return
        outputs = await _outputs(plan, now.caller, hands)
    except VerdazulError as error:
        failed = Problem(
            "DeploymentFailed",
            f"the deployment {name} failed at {now.failed or 'its outputs'}; what was put before "
            "stays",
            details=(error.problem,),
        )
        await _end(world, replace(now, state=TemplateState.FAILED, problem=failed))
        return
    await _end(world, replace(now, state=TemplateState.SUCCEEDED, outputs=outputs))


async def give_up(world: World, name: str) -> None:
    """End one that met a bug of ours."""
    problem = Problem(
        "InternalServerError",
        f"the control plane failed on deployment {name}; its log says why",
        fix="see control.log in the home's logs folder",
    )
    known = await get(world, name)
    await _end(world, replace(known, state=TemplateState.FAILED, problem=problem))


async def cancel(world: World, name: str) -> None:
    """Put no further resource. Raises Conflict when it has ended."""
    known = await get(world, name)
    if known.state is not TemplateState.RUNNING:
        raise Conflict(
            f"the deployment {name} has ended: {known.state.value}",
            code="DeploymentCannotBeCancelled",
        )
    await _end(world, replace(known, state=TemplateState.CANCELED))


async def get(world: World, name: str) -> TemplateDeployment:
    """Raise NotFound when there is none."""
    known = await _find(world, name)
    if known is None:
        raise NotFound(f"deployment {name} does not exist", code="DeploymentNotFound")
    return known


async def list_all(world: World) -> tuple[TemplateDeployment, ...]:
    """Newest first."""
    found = [_read(item) for item in await world.store.items(_KIND)]
    return tuple(sorted(found, key=lambda one: -one.started_at))


async def forget(world: World, name: str) -> bool:
    """Drop it from the history; what it made stays. False when there was none."""
    known = await _find(world, name)
    if known is None:
        return False
    if known.state is TemplateState.RUNNING:
        raise Conflict(f"the deployment {name} is still running", code="DeploymentActive")
    await world.store.commit(ForgetItem(_KIND, name))
    return True


async def _body(plan: Plan, resource: Resource, caller: Caller, hands: Hands) -> dict[str, Json]:
    return await _with_references(lambda look: plan.body(resource, look), plan, caller, hands)


async def _outputs(plan: Plan, caller: Caller, hands: Hands) -> dict[str, Json]:
    return await _with_references(plan.results, plan, caller, hands)


class _AskedError(Exception):
    """An expression refers to a resource that was not read yet."""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.id = id_


async def _with_references(
    make: Callable[[Callable[[str], Json]], dict[str, Json]],
    plan: Plan,
    caller: Caller,
    hands: Hands,
) -> dict[str, Json]:
    """Evaluate; whatever resource is asked for is read first, and then it begins anew."""
    known: dict[str, Json] = {}

    def look(told: str) -> Json:
        id_ = _id_of(told, plan)
        if id_ not in known:
            raise _AskedError(id_)
        return known[id_]

    while True:
        try:
            return make(look)
        except _AskedError as asked:
            known[asked.id] = await hands.get(caller, asked.id)


def _id_of(told: str, plan: Plan) -> str:
    if told.startswith("/"):
        return told
    for resource in plan.resources:
        if resource.id.lower().endswith(f"/{told.lower().rpartition('/')[2]}"):
            return resource.id
    raise InvalidTemplate(f"reference('{told}') names no resource of the template")


async def _advance(world: World, now: TemplateDeployment) -> bool:
    """Write down how far it is; False when it was cancelled meanwhile."""
    async with world.turns.of(_TURN):
        item = await world.store.item(_KIND, now.name)
        if item is None or _read(item).id != now.id or not item.sealed:
            return False
        await world.store.commit(PutItem(_item(now, world.clock.now(), item.sealed)))
    return True


async def _end(world: World, now: TemplateDeployment) -> None:
    """What was sealed goes: nobody needs the template any more."""
    async with world.turns.of(_TURN):
        known = await _find(world, now.name)
        if known and known.id == now.id and known.state is TemplateState.RUNNING:
            ended = replace(now, finished_at=world.clock.now())
            await world.store.commit(PutItem(_item(ended, world.clock.now(), "")))


async def _find(world: World, name: str) -> TemplateDeployment | None:
    item = await world.store.item(_KIND, name)
    return _read(item) if item else None


def _item(one: TemplateDeployment, now: float, sealed: str) -> Item:
    body = {
        "name": one.name,
        "id": one.id,
        "caller": [one.caller.id, one.caller.name, list(one.caller.groups)],
        "parameters": one.parameters,
        "resources": one.resources,
        "state": one.state.value,
        "done": one.done,
        "failed": one.failed,
        "outputs": one.outputs,
        "problem": one.problem.to_arm() if one.problem else None,
        "finishedAt": one.finished_at,
    }
    return Item(_KIND, one.name, json.dumps(body), one.started_at, now, sealed)


def _read(item: Item) -> TemplateDeployment:
    body = json.loads(item.body)
    id_, name, groups = body["caller"]
    return TemplateDeployment(
        name=body["name"],
        id=body["id"],
        caller=Caller(id_, name, tuple(groups)),
        started_at=item.created_at,
        parameters=body["parameters"],
        resources=tuple(body["resources"]),
        state=TemplateState(body["state"]),
        done=tuple(body["done"]),
        failed=body["failed"],
        outputs=body["outputs"],
        problem=Problem.from_arm(body["problem"]) if body["problem"] else None,
        finished_at=body["finishedAt"],
    )
