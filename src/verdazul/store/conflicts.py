"""The refusals that every store adapter words alike."""

from __future__ import annotations

from verdazul.core.records import Asset, AssetKey, Operation
from verdazul.model.errors import Conflict, NotFound


def changed_meanwhile(what: str, expected: int | None, found: int | None) -> Conflict:
    """Compare-and-swap failed."""
    if expected is None:
        return Conflict(f"{what} exists already", code="ResourceExists", fix="update it instead")
    return Conflict(
        f"{what} changed meanwhile (generation {found or 'none'}, expected {expected})",
        fix="read it again and repeat the change",
    )


def held(begun: Operation, *, by: Operation) -> Conflict:
    """Another operation is open on the same resource."""
    what = f'deployment "{by.deployment}" of ' if by.deployment else ""
    return Conflict(
        f'{what}endpoint "{begun.endpoint}" is held by another operation '
        f"({by.kind.value}, {by.id}) that has not ended",
        code="OperationInProgress",
        fix="wait until it has ended, or delete the resource to cancel it",
    )


def no_endpoint(name: str) -> NotFound:
    """A deployment needs its endpoint."""
    return NotFound(f'endpoint "{name}" does not exist')


def is_same(known: Asset, put: Asset) -> bool:
    """Whether a version is put again. The upload that files came in is no part of what it is."""
    return (known.digest, known.body) == (put.digest, put.body)


def other_content(key: AssetKey) -> Conflict:
    """A version's content never changes."""
    return Conflict(
        f"{key.kind}/{key.name} version {key.version} exists with other content",
        code="AssetVersionExists",
        fix="register the new content under a new version",
    )
