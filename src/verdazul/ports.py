"""What the control plane needs from the world, as small Protocols.

An adapter implements one of them and knows nothing of the others. Each fake is a small real
implementation that passes the same contract tests as the real adapter (tests/contract).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Protocol

from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Entry, Wanted
from verdazul.core.blobs import Blob, Elsewhere, Place
from verdazul.core.changes import Change
from verdazul.core.environment import EnvironmentState, Recipe
from verdazul.core.instance import Instance, InstanceId, Launch
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentState,
    EndpointRecord,
    EndpointState,
    Item,
    Operation,
)
from verdazul.core.route import Route
from verdazul.core.trust import Signer, Trust
from verdazul.model.datastore import DatastoreSpec
from verdazul.model.errors import Problem
from verdazul.model.events import Event
from verdazul.model.status import Status


class Clock(Protocol):
    """The time, as unix seconds."""

    def now(self) -> float: ...


class Ids(Protocol):
    """Names that nobody can guess or repeat."""

    def new(self) -> str:
        """A fresh UUID, lower case."""

    def new_key(self) -> str:
        """A fresh endpoint key of at least 256 random bits."""


class Store(Protocol):
    """Declared state, what the loop remembers, operations, events and assets.

    Names match case-insensitively and are given back as they were stored. `commit` is all or
    nothing and durable when it returns.
    """

    async def commit(self, *changes: Change) -> None:
        """Apply all changes or none.

        What a request changes (verdazul.origin) leaves an entry of the activity log in the same
        commit. Raises Conflict when a generation is not the expected one, or when an operation
        begins on something that another operation holds (code OperationInProgress).
        """

    async def endpoints(
        self, *, skip: int = 0, most: int | None = None
    ) -> tuple[EndpointState, ...]:
        """All of them with their deployments, or a part, by name."""

    async def endpoint_names(self) -> tuple[str, ...]: ...

    async def count_endpoints(self) -> int: ...

    async def count_deployments(self) -> int: ...

    async def endpoint(self, name: str) -> EndpointRecord | None: ...

    async def endpoint_state(self, name: str) -> EndpointState | None: ...

    async def endpoint_status(self, name: str) -> Status | None: ...

    async def deployments(self, endpoint: str) -> tuple[DeploymentState, ...]: ...

    async def deployment(self, endpoint: str, name: str) -> DeploymentState | None: ...

    async def operation(self, operation_id: str) -> Operation | None: ...

    async def open_operations(self, endpoint: str) -> tuple[Operation, ...]:
        """Operations in progress on the endpoint and its deployments, oldest first."""

    async def latest_operation(self, endpoint: str, deployment: str = "") -> Operation | None:
        """The last one begun on just this endpoint or deployment, as long as it is kept."""

    async def events(
        self, endpoint: str, deployment: str | None = None, *, since: float = 0.0, last: int = 200
    ) -> tuple[Event, ...]:
        """The last events, oldest first; `deployment` None: all of the endpoint."""

    async def asset(self, key: AssetKey) -> Asset | None: ...

    async def assets(self, kind: str, *, name: str = "", tree_hash: str = "") -> tuple[Asset, ...]:
        """Assets of a kind, newest first, by name or by the client's tree hash."""

    async def role_assignments(self, *, at: str | None = None) -> tuple[RoleAssignment, ...]:
        """All of them, or those that hold at an endpoint ("": the workspace); oldest first."""

    async def item(self, kind: str, name: str) -> Item | None: ...

    async def items(self, kind: str) -> tuple[Item, ...]:
        """All of a kind, by name."""

    async def activity(self, wanted: Wanted) -> tuple[tuple[int, Entry], ...]:
        """Entries of the activity log, newest first, each with its number: higher is newer."""


class Compute(Protocol):
    """Starts, watches and stops instances. All calls are idempotent; state survives a restart.

    `on_change(endpoint)` is called (from the event loop) whenever an instance of that endpoint
    changed phase by itself: became ready, unready, exited.
    """

    def on_change(self, listener: Callable[[str], None]) -> None: ...

    async def observe(self, endpoint: str) -> tuple[Instance, ...]:
        """Every instance of the endpoint that exists, exited ones included, ordered by id."""

    async def endpoints(self) -> frozenset[str]:
        """Names of all endpoints that own at least one instance (to find orphans)."""

    async def start(self, instance: InstanceId, launch: Launch, *, attempt: int) -> None:
        """Start it; replaces an exited instance of the same id; no-op when it already runs.

        Raises Retryable when the machine refuses (no processes left, disk full).
        """

    async def drain(self, instance: InstanceId) -> None:
        """Mark it DRAINING. It goes on serving what it holds; nothing is sent to the process."""

    async def stop(self, instance: InstanceId) -> None:
        """SIGTERM, wait its grace, SIGKILL, and forget it. No-op when it is gone.

        Returns once the stop is under way; `observe` shows it STOPPING until it is gone, and
        then listeners are told.
        """

    async def logs(self, endpoint: str, deployment: str, *, tail: int) -> str:
        """The last `tail` lines of one instance's stdout and stderr ("" when there is none).

        Chooses a running instance of the newest revision, else the one that exited last.
        """


class DataPlane(Protocol):
    """Makes the gateway route as told. Survives a restart of the control plane."""

    async def publish(self, endpoint: str, route: Route | None) -> None:
        """Put this endpoint's route in force (None: remove it), others unchanged.

        Returns once the gateway has acknowledged it. Raises Fatal (code GatewayRejected) with the
        gateway's reason when it refuses: the last good configuration stays in force. Raises
        Retryable when the gateway does not answer.
        """

    def published(self, endpoint: str) -> Route | None:
        """The route last acknowledged (also from before a restart of ours)."""

    def endpoints(self) -> frozenset[str]:
        """Endpoints that have an acknowledged route."""

    def routed(self, endpoint: str) -> frozenset[str]:
        """Ids of instances that may still be sent requests.

        That is any which an acknowledged or a not yet acknowledged configuration names.
        """

    async def trust(self, trust: Trust) -> None:
        """Verify tokens by these signers from now on. Raises as `publish` does.

        Endpoints are not touched; what was trusted survives a restart of the gateway.
        """

    def trusted(self) -> Trust | None:
        """What was acknowledged since we started; None: nothing yet."""


class Environments(Protocol):
    """Builds environments, cached by the digest of their recipe."""

    def on_change(self, listener: Callable[[Recipe], None]) -> None: ...

    def check(self, recipe: Recipe) -> None:
        """Raise UserError for a recipe that nobody could build (a broken conda file)."""

    def state(self, recipe: Recipe) -> EnvironmentState:
        """How far it is, from memory and disk; never blocks for long."""

    def prepare(self, recipe: Recipe) -> None:
        """Begin building if it is missing; returns at once. A failed build stays failed."""

    def forget_failure(self, recipe: Recipe) -> None:
        """Let the next `prepare` try again."""

    async def prune(self, keep: frozenset[Recipe]) -> None:
        """Drop environments of other recipes, except the most recently used few."""


class Secrets(Protocol):
    """Encrypts what must be shown again (endpoint keys): a stolen database tells nothing."""

    def seal(self, plain: str) -> str: ...

    def open(self, sealed: str) -> str: ...


class Issuers(Protocol):
    """Identity providers whose tokens open endpoints, with their keys as they were last had."""

    async def refresh(self) -> None:
        """Read what is declared, and the keys of those that it is time to ask.

        Raises nothing for what is wrong with them: `problems` tells.
        """

    def signers(self) -> tuple[Signer, ...]:
        """Those whose keys are known. Survives a restart of ours."""

    def for_control(self) -> tuple[Signer, ...]:
        """The same for tokens that open the control API.

        No `audiences`: those that Azure's clients ask for. Who may not open it is left out.
        """

    async def ask_again(self, issuer: str) -> bool:
        """Get its keys now: it may have new ones. False when it was asked a moment ago."""

    def problems(self) -> tuple[Problem, ...]:
        """What is not as declared or not fresh."""


class Tokens(Protocol):
    """Reads tokens that callers show."""

    def verified(self, token: str, signers: Iterable[Signer]) -> tuple[Signer, Mapping[str, Any]]:
        """Who of these has signed it, and what it says; its times and audiences are not judged.

        Raises TokenUnknown.
        """


class Passwords(Protocol):
    """Keeps what people choose so that it cannot be read back, only compared, and that slowly.

    Raises Retryable (TooManyRequests) when too many are computed already.
    """

    async def digest(self, password: str) -> str: ...

    async def matches(self, password: str, digest: str) -> bool:
        """False for the digest "", after as long a time as for any."""


class TokenSigner(Protocol):
    """Signs tokens with keys that only this control plane has."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JSON Web Token."""

    def public_keys(self) -> str:
        """The key set that verifies every token which has not expired, as JSON.

        Also the moment at which keys are rotated when it is time: ask now and then.
        """


class Uploads(Protocol):
    """Folders that files arrive in before they are adopted; abandoned ones are cleaned up."""

    def begin(self) -> str:
        """A new upload's id: 128 random bits in hex."""

    async def write(
        self, upload: str, path: str, chunks: AsyncIterable[bytes], *, executable: bool = False
    ) -> None:
        """Stream one file in; a second write of a path replaces it.

        Raises NotFound for an unknown upload, UserError (InvalidPath) for a path that leaves it.
        """

    def folder(self, upload: str) -> str:
        """Where its files are. Raises NotFound."""

    async def lay_out(self, files: Mapping[str, str]) -> str:
        """An upload that shows files of this machine, for reading, by the path each is to have."""

    def prune(self) -> None:
        """Drop what was abandoned a day ago."""


class Blobs(Protocol):
    """Files by container and path, as clients upload and download them. An upload is a container.

    Raises NotFound (ContainerNotFound, BlobNotFound), UserError (InvalidPath) for a path that
    leaves its container, Conflict for what belongs to a registered asset and would change.
    """

    async def write(
        self,
        place: Place,
        chunks: AsyncIterable[bytes],
        *,
        metadata: Mapping[str, str],
        md5: str = "",
    ) -> Blob:
        """Stream one blob in, whole or not at all; replaces what was there."""

    async def write_block(
        self, place: Place, block: str, chunks: AsyncIterable[bytes], *, md5: str = ""
    ) -> None:
        """Stream one block of a blob in; it is no part of the blob yet."""

    async def commit_blocks(
        self, place: Place, blocks: tuple[str, ...], *, metadata: Mapping[str, str]
    ) -> Blob:
        """Put the blob together. Raises UserError for a block that has not arrived."""

    async def describe(self, place: Place, metadata: Mapping[str, str]) -> Blob:
        """Replace its metadata."""

    async def find(self, place: Place) -> Blob: ...

    async def list(self, container: str, prefix: str) -> tuple[Blob, ...]:
        """Sorted by path."""

    def read(self, place: Place, *, start: int, length: int) -> AsyncIterator[bytes]:
        """Its bytes from `start`, `length` of them at most."""

    async def gather(self, place: Place, *, under_its_name: bool) -> str:
        """A folder with all that is at the place, ready to be adopted: its content, or it itself
        under its last name.
        """

    async def share(self, place: Place, source: str) -> None:
        """Make the place show an artifact's files, stored once; nothing there changes any more."""

    async def prune(self, container: str, keep: frozenset[str]) -> None:
        """Drop what clients uploaded for assets that are not in `keep` (LocalUpload/<name>)."""


class Accounts(Protocol):
    """Storage accounts elsewhere, as datastores name them. Raises Forbidden for credentials that do
    not open one, NotFound, UserError (DatastoreUnreachable), Retryable.
    """

    async def gather(self, place: Elsewhere, *, under_its_name: bool) -> str:
        """A folder with all that is at the place, whole, ready to be adopted; as Blobs has it."""

    async def check(self, store: DatastoreSpec) -> None:
        """Whether its container is there and its credentials open it."""

    def signature(self, store: DatastoreSpec, *, seconds: float) -> str:
        """A query that opens its container for a while. Its credentials are an account's key."""


class Artifacts(Protocol):
    """Files of models and code by content digest; an entry never changes once it is there."""

    async def adopt(self, folder: str) -> str:
        """Move a staged folder in; returns its digest (`sha256:<hex>` over paths and contents).

        Adopting the same content twice gives the same digest and keeps one copy.
        """

    def path(self, digest: str) -> str:
        """The read-only folder. Raises NotFound when it is not there."""

    async def unpack(self, digest: str) -> str:
        """The digest of what the archive holds that this entry is; unpacked once.

        Raises NotFound, UserError (UnusableArchive, NoRoomToUnpack) naming the member.
        """

    async def prune(self, keep: frozenset[str]) -> None:
        """Drop entries not in `keep`, except the most recently used few."""
