"""How requests are split: whole percentages that sum to 100, or to 0 when nobody is to be served.

The same rules hold for a YAML file, the command line and the API. A deployment that is not named
has 0 %; names are matched without case, because SDKs lower-case them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from verdazul.model.declared import read_integer
from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.show import shown

ALL = 100
MIRROR_MOST = 50


def traffic_problem(traffic: Mapping[str, object], *, endpoint: str = "") -> str | None:
    """What is wrong with a split by itself, not knowing the deployments; None when nothing is."""
    subject = f'traffic for endpoint "{endpoint}"' if endpoint else "traffic"
    for name, percent in traffic.items():
        if not _is_percent(percent, ALL):
            return (
                f"{subject} gives {name} {shown(percent)}; it must be a whole number from 0 to 100"
            )
    twice = _spelled_twice(traffic)
    if twice:
        return f"{subject} names one deployment twice: {twice[0]} and {twice[1]}"
    return _sum_problem(subject, traffic)


def mirror_problem(mirror: Mapping[str, object]) -> str | None:
    """What is wrong with mirrored traffic: one deployment, at most 50 %; None when nothing is."""
    for name, percent in mirror.items():
        if not _is_percent(percent, MIRROR_MOST):
            return (
                f"mirror_traffic gives {name} {shown(percent)}; "
                "it must be a whole number from 0 to 50"
            )
    if len(mirror) > 1:
        return f"mirror_traffic names {', '.join(mirror)}; it can name one deployment only"
    return None


def live_mirror_problem(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> str | None:
    """A deployment is either live or the mirror's target; None when none is both."""
    live = {name.lower(): percent for name, percent in traffic.items()}
    for name, percent in mirror.items():
        if percent and live.get(name.lower(), 0):
            return (
                f"mirror_traffic copies {percent} % to {name}, which takes "
                f"{live[name.lower()]} % of the traffic; a deployment can be live or mirrored to, "
                "not both"
            )
    return None


def check_mirror(
    mirror: Mapping[str, int], deployments: Iterable[str], *, endpoint: str = ""
) -> dict[str, int]:
    """The deployment that gets copies, spelled as it is; none when no request is mirrored.

    Raises UserError (InvalidTraffic) when it names no known deployment.
    """
    known = {name.lower(): name for name in deployments}
    for name in mirror:
        if name.lower() not in known:
            raise _unknown(name, list(known.values()), endpoint=endpoint, what="mirror_traffic")
    return {known[name.lower()]: percent for name, percent in mirror.items() if percent}


def check_traffic(
    traffic: Mapping[str, int], deployments: Iterable[str], *, endpoint: str = ""
) -> dict[str, int]:
    """Every deployment with its percentage, spelled as the deployments are.

    Raises UserError (InvalidTraffic) when the split breaks a rule or names no known deployment.
    """
    problem = traffic_problem(traffic, endpoint=endpoint)
    if problem:
        raise UserError(problem, code="InvalidTraffic")
    known = {name.lower(): name for name in deployments}
    for name in traffic:
        if name.lower() not in known:
            raise _unknown(name, list(known.values()), endpoint=endpoint)
    given = {name.lower(): percent for name, percent in traffic.items()}
    return {name: int(given.get(lower, 0)) for lower, name in known.items()}


def parse_traffic(text: str | Sequence[str], *, what: str = "traffic") -> dict[str, int]:
    """`blue=90 green=10` of the command line. Raises UserError (InvalidTraffic)."""
    words = text.split() if isinstance(text, str) else [w for part in text for w in part.split()]
    traffic: dict[str, int] = {}
    for word in words:
        name, _, percent = word.partition("=")
        number = read_integer(percent)
        if not name or number is None:
            raise UserError(
                f"{what} {shown(word)} is not a deployment and a whole percentage",
                code="InvalidTraffic",
                fix='write it like "blue=90 green=10"',
            )
        if name in traffic:
            raise UserError(f"{what} names {name} twice", code="InvalidTraffic")
        traffic[name] = number
    if not traffic:
        raise UserError(
            f"{what} is empty", code="InvalidTraffic", fix='write it like "blue=90 green=10"'
        )
    return traffic


def _is_percent(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _spelled_twice(traffic: Mapping[str, object]) -> tuple[str, str] | None:
    seen: dict[str, str] = {}
    for name in traffic:
        if name.lower() in seen:
            return seen[name.lower()], name
        seen[name.lower()] = name
    return None


def _sum_problem(subject: str, traffic: Mapping[str, object]) -> str | None:
    total = sum(percent for percent in traffic.values() if isinstance(percent, int))
    if total in (0, ALL):
        return None
    parts = ", ".join(f"{name}={percent}" for name, percent in traffic.items())
    return f"{subject} sums to {total}; it must be {ALL} ({parts})"


def _unknown(name: str, known: list[str], *, endpoint: str, what: str = "traffic") -> UserError:
    subject = f'endpoint "{endpoint}"' if endpoint else "the endpoint"
    close = nearest(name, known)
    return UserError(
        f"{what} names deployment {shown(name)}, which {subject} does not have",
        code="InvalidTraffic",
        fix=f"did you mean {close}? " * bool(close)
        + (f"its deployments: {', '.join(known)}" if known else "create the deployment first"),
    )
