"""What a name may be, and when two names are the same.

Azure's rules, because a name becomes a host label and a folder there and here. Names are stored as
they were spelled and compared without case: SDKs lower-case the keys of `traffic`.
"""

from __future__ import annotations

import re

from verdazul.model.errors import UserError

SHORTEST = 3
LONGEST = 32
PATTERN = "[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?"


def same_name(one: str, other: str) -> bool:
    """Whether two spellings name the same thing."""
    return one.lower() == other.lower()


def endpoint_path(name: str) -> str:
    """Where an endpoint answers, on whatever host; any path below it reaches an instance."""
    return f"/api/v1/endpoint/{name}"


def endpoint_host(name: str, location: str, domain: str) -> str:
    """The host name that is the endpoint's alone, as Azure makes it; "" without a domain."""
    return f"{name}.{location}.inference.{domain}".lower() if domain else ""


def name_problem(name: str, *, what: str = "endpoint") -> str | None:
    """What is wrong with a name for an endpoint or a deployment; None when nothing is."""
    if not SHORTEST <= len(name) <= LONGEST:
        return (
            f"the name {_shown(name)} has {_characters(len(name))}. The name for {_a(what)} "
            f"must be at least {SHORTEST} and at most {LONGEST} characters long "
            "(inclusive of both limits)."
        )
    if not re.fullmatch(PATTERN, name):
        return (
            f"the name {_shown(name)} {_fault(name)}. The name for {_a(what)} must start with an "
            "upper- or lowercase letter and only consist of '-'s and alphanumeric characters."
        )
    return None


def check_name(name: str, *, what: str = "endpoint") -> str:
    """The name itself. Raises UserError (InvalidName) saying which rule it breaks."""
    problem = name_problem(name, what=what)
    if problem:
        raise UserError(problem, code="InvalidName")
    return name


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _characters(count: int) -> str:
    return f"{count} character" if count == 1 else f"{count} characters"


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 2 * LONGEST else f"{name[:LONGEST]}...").replace("'", '"')


def _fault(name: str) -> str:
    odd = next((char for char in name if not re.fullmatch(r"[-a-zA-Z0-9]", char)), None)
    if odd:
        return f"has the character {odd!a}"
    return "ends with '-'" if name.endswith("-") else f"starts with '{name[0]}'"
