"""What Verdazul's server was built to reach, each aim judged at its worst place, which is named.

An aim whose figures were not measured (a server left out, or unavailable) is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serving.report import LOADED, STARTED, Figures, Place, better, digits

Found = Mapping[Place, Mapping[str, Figures]]
Value = tuple[float, str]
"""A figure or ratio, and where it was found."""
AZURE = "azmlinfsrv"
SMALL = "1 KB"
CPU_US, REQUESTS, TAIL = 50, 16, 4


def judge(found: Found, *, ours: str, rivals: Sequence[str]) -> list[dict[str, str]]:
    """A line for each aim."""
    small = {place: it for place, it in found.items() if place.payload == SMALL}
    busy = {place: it for place, it in small.items() if place.callers > 1}
    most = max((place.callers for place in small), default=0)
    crowded = {place: it for place, it in small.items() if place.callers == most}
    cpu = [(it[ours]["cpu_us"], str(place)) for place, it in small.items() if ours in it]
    columns = list(_all_columns(found, ours, rivals))
    behind = sum(value < 1 for value, _ in columns)
    lines = (
        _most(f"CPU per request at most {CPU_US} µs ({SMALL})", CPU_US, cpu),
        _least(
            f"requests/s at least {REQUESTS} x {AZURE} ({SMALL}, several callers)",
            REQUESTS,
            list(_ratios(busy, "requests_per_second", ours, AZURE)),
        ),
        _least(
            f"p99 at least {TAIL} x better than {AZURE} ({SMALL}, {most} callers)",
            TAIL,
            list(_ratios(crowded, "p99_ms", ours, AZURE)),
        ),
        _least(f"first of all peers (behind in {behind} of {len(columns)} ratios)", 1, columns),
    )
    return [line for line in lines if line]


def _ratios(found: Found, key: str, ours: str, theirs: str) -> Iterator[Value]:
    for place, servers in found.items():
        if ours in servers and theirs in servers:
            ratio = better(key, ours=servers[ours], theirs=servers[theirs])
            if ratio is not None:
                yield ratio, f"{key}, {theirs}, {place}"


def _all_columns(found: Found, ours: str, rivals: Sequence[str]) -> Iterator[Value]:
    for columns, is_load in ((STARTED, False), (LOADED, True)):
        places = {place: it for place, it in found.items() if bool(place.payload) is is_load}
        for column in columns:
            for name in rivals:
                yield from _ratios(places, column.key, ours, name)


def _most(aim: str, limit: float, values: Sequence[Value]) -> dict[str, str]:
    if not values:
        return {}
    worst, where = max(values)
    return _line(aim, worst, where, is_met=worst <= limit)


def _least(aim: str, limit: float, values: Sequence[Value]) -> dict[str, str]:
    if not values:
        return {}
    worst, where = min(values)
    return _line(aim, worst, where, is_met=worst >= limit)


def _line(aim: str, worst: float, where: str, *, is_met: bool) -> dict[str, str]:
    return {"aim": aim, "worst": digits(worst), "": "met" if is_met else "MISSED", "where": where}
