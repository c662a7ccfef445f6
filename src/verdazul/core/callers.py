"""Who calls the control API, as the token it shows proves it.

A caller's `id` is what role assignments name: the identity's id in the home's own or the first
directory, `//DIRECTORY/ID` in another one (trust.py says why).
"""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.core.trust import HOME_OWNER


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is for people (a user's name, a service principal's display name); `id` decides."""

    id: str
    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_owner(self) -> bool:
        """Whether this is the home's owner: who may read the home's files may do everything."""
        return self.id == HOME_OWNER


OWNER = Caller(HOME_OWNER, "owner")
