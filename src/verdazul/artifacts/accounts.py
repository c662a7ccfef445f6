"""The Accounts port: files in storage accounts elsewhere, fetched with Azure's own library.

A fetch is a listing and then a few files at a time, each in small pieces, into a folder of its own
among the arrivals: whoever is killed leaves only that, and the next process removes it. What comes
of the account is judged before it is written: names that lead out, more than there is room for.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verdazul.artifacts.account_credentials import (
    CONNECT_SECONDS,
    READ_SECONDS,
    check_key,
    credential_of,
    this_machine,
)
from verdazul.artifacts.account_errors import in_our_words
from verdazul.artifacts.arrivals import Arrivals, parts_of
from verdazul.clock import SystemClock
from verdazul.core.blobs import Elsewhere
from verdazul.model.datastore import DatastoreSpec, Protocol
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.ports import Clock

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_MOST_BLOBS = 100_000
_PIECE_BYTES = 4 << 20
_FILES_AT_A_TIME = 8
_FETCHES_AT_A_TIME = 2
_RESERVE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class _Found:
    """One blob: `path` is where it goes below the staged folder."""

    name: str
    path: Path
    size: int
    is_executable: bool


class AzureAccounts:
    """`retries` is how often the library asks again, each time after a second or two.

    `identity` makes the credential of datastores that have none of their own.
    """

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock | None = None,
        retries: int = 3,
        identity: Callable[[], Any] = this_machine,
    ) -> None:
        self._home = home
        self._clock = clock or SystemClock()
        self._arrivals = Arrivals(home)
        self._retries = retries
        self._identity = identity
        self._turn = asyncio.Semaphore(_FETCHES_AT_A_TIME)
        for name in ("azure", "urllib3", "msal"):  # they would write signatures into the log
            logging.getLogger(name).setLevel(logging.ERROR)

    async def gather(self, place: Elsewhere, *, under_its_name: bool) -> str:
        left = threading.Event()
        async with self._turn:
            try:
                return await asyncio.to_thread(self._gather, place, under_its_name, left)
            finally:
                left.set()

    async def check(self, store: DatastoreSpec) -> None:
        def first_page() -> None:
            with in_our_words(store, ""), self._opened(store) as client:
                next(client.list_blobs(results_per_page=1).by_page(), None)

        await asyncio.to_thread(first_page)

    def signature(self, store: DatastoreSpec, *, seconds: float) -> str:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        check_key(store)
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        return generate_container_sas(
            account_name=store.account,
            container_name=store.container,
            account_key=store.credentials.secret,
            permission=ContainerSasPermissions(
                read=True, add=True, create=True, write=True, list=True
            ),
            start=now - timedelta(minutes=5),  # clocks differ
            expiry=now + timedelta(seconds=seconds),
            protocol=None if store.protocol == Protocol.HTTP else "https",
        )

    def _gather(
        self,
        place: Elsewhere,
        under_its_name: bool,  # noqa: FBT001 - see ports.py
        left: threading.Event,
    ) -> str:
        staged = self._arrivals.new()
        try:
            with in_our_words(place.store, place.path), self._opened(place.store) as client:
                found = list(_listed(client, place, under_its_name=under_its_name))
                self._check_room(place, found)
                _fetch_all(client, staged, found, left)
        except OSError as error:
            _remove(staged)
            raise Retryable(
                f'"{place.path}" could not be stored: {error.strerror}', code="StorageFailed"
            ) from error
        except BaseException:
            _remove(staged)
            raise
        return str(staged)

    def _opened(self, store: DatastoreSpec) -> ContainerClient:
        from azure.storage.blob import ContainerClient, LinearRetry

        options: dict[str, Any] = {"permit_redirects": False}
        if store.credentials.resource_url:
            options["audience"] = store.credentials.resource_url
        return ContainerClient(
            store.url,
            store.container,
            credential=credential_of(store, identity=self._identity, retries=self._retries),
            retry_policy=LinearRetry(backoff=1, retry_total=self._retries, random_jitter_range=1),
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_single_get_size=_PIECE_BYTES,
            max_chunk_get_size=_PIECE_BYTES,
            **options,
        )

    def _check_room(self, place: Elsewhere, found: list[_Found]) -> None:
        size = sum(each.size for each in found)
        room = shutil.disk_usage(self._home).free - _RESERVE_BYTES
        if size > room:
            raise UserError(
                f"{place.path!r} of datastore {place.store.name!r} is {size} bytes; there is room "
                f"for {max(room, 0)}",
                code="NoRoomToFetch",
                fix="make room on the disk of the home, or name a smaller folder",
            )


def _listed(client: ContainerClient, place: Elsewhere, *, under_its_name: bool) -> Iterator[_Found]:
    """The blob itself, else all below it; where each goes. Raises NotFound when nothing is."""
    name = Path(place.path.rpartition("/")[2] if under_its_name else "")
    alone = client.get_blob_client(place.path)
    if alone.exists() and not _is_folder(properties := alone.get_blob_properties()):
        if not under_its_name:
            raise UserError(
                f"{place.path!r} of datastore {place.store.name!r} is a file; code is a folder",
                code="InvalidPath",
            )
        yield _found(properties, name)
        return
    above, count = f"{place.path}/", 0
    for blob in client.list_blobs(name_starts_with=above, include=["metadata"]):
        if _is_folder(blob):
            continue
        count += 1
        if count > _MOST_BLOBS:
            raise UserError(
                f"{place.path!r} of datastore {place.store.name!r} has more than {_MOST_BLOBS} "
                "files",
                code="TooManyFiles",
                fix="pack them into an archive",
            )
        yield _found(blob, name.joinpath(*parts_of(blob.name[len(above) :])))
    if not count:
        raise NotFound(
            f"nothing is at {place.path!r} of container {place.store.container} in "
            f"{place.store.url} (datastore {place.store.name!r})",
            code="BlobNotFound",
            fix="check the path; it is compared letter by letter",
        )


def _found(blob: Any, path: Path) -> _Found:
    marked = str((blob.metadata or {}).get("executable", ""))
    return _Found(str(blob.name), path, int(blob.size or 0), marked.lower() == "true")


def _is_folder(blob: Any) -> bool:
    """Accounts with a hierarchical namespace list their folders among the blobs."""
    told = str((blob.metadata or {}).get("hdi_isfolder", ""))
    return told.lower() == "true" or str(blob.name).endswith("/")


def _fetch_all(
    client: ContainerClient, staged: Path, found: list[_Found], left: threading.Event
) -> None:
    """All of them or none; the first failure ends the rest."""
    staged.mkdir(mode=0o700)
    failed = threading.Event()

    def fetch(one: _Found) -> None:
        if not failed.is_set():
            try:
                _fetch(client, staged / one.path, one, lambda: left.is_set() or failed.is_set())
            except BaseException:
                failed.set()
                raise

    with ThreadPoolExecutor(_FILES_AT_A_TIME, thread_name_prefix="fetch") as several:
        for _ in several.map(fetch, found):
            pass


def _fetch(client: ContainerClient, file: Path, one: _Found, is_over: Callable[[], bool]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arrived = 0
    with file.open("xb") as opened:
        for piece in client.download_blob(one.name).chunks():
            if is_over():
                raise Retryable("the fetch was given up", code="FetchInterrupted")
            arrived += len(piece)
            if arrived > one.size:
                break
            opened.write(piece)
    if arrived != one.size:
        raise Retryable(f"{one.name!r} changed while it was read; try again", code="BlobChanged")
    file.chmod(0o700 if one.is_executable else 0o600)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder, ignore_errors=True)
