"""Sending a folder to the place the server named for it.

Files go straight from disk, a few at a time. The place's own signature opens it; our token is not
sent along. A file that changes meanwhile would be stored under a digest it does not have, so the
files are looked at before their digest is taken and again after the last one was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import httpx

from verdazul.client.connection import Connection, excerpt, without_query
from verdazul.model.errors import Fatal, UserError, VerdazulError

Files = Sequence[tuple[str, Path]]  # where a file goes, and where it is now

_AT_ONCE = 4
_CHUNK_BYTES = 1 << 20
_LONGEST_WRITE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an asset is to be put. `signature` is the query that opens it."""

    uri: str
    signature: str = field(repr=False)


def looks(files: Files) -> tuple[tuple[str, int, int], ...]:
    """Size and time of change of each file: equal looks, equal contents."""
    return tuple((name, *_size_and_change(path)) for name, path in files)


def refuse_changed(before: tuple[tuple[str, int, int], ...], files: Files) -> None:
    """Raise UserError naming the first file that changed since `before` was taken."""
    for old, new in zip(before, looks(files), strict=True):
        if old != new:
            raise UserError(
                f"{old[0]} changed while it was being uploaded; nothing was deployed",
                code="FileChanged",
                fix="let the program that writes it finish, then run the command again",
            )


def upload(
    connection: Connection, place: Place, files: Files, *, on_bytes: Callable[[int, int], None]
) -> None:
    """Send all files. `on_bytes(sent, total)` is called from several threads, one at a time."""
    counter = _Counter(sum(path.stat().st_size for _, path in files), on_bytes)
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload")
    try:
        pending = [pool.submit(_send, connection, place, file, counter) for file in files]
        for done in as_completed(pending):
            done.result()
    finally:
        counter.stop()
        pool.shutdown(wait=True, cancel_futures=True)


class _Counter:
    """Adds up what all threads have sent; once stopped, makes their next chunk the last."""

    def __init__(self, total: int, on_bytes: Callable[[int, int], None]) -> None:
        self._total = total
        self._on_bytes = on_bytes
        self._sent = 0
        self._stopped = False
        self._lock = Lock()

    def stop(self) -> None:
        self._stopped = True

    def chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                if self._stopped:
                    raise Fatal("the upload was stopped", code="UploadStopped")
                yield chunk
                self._add(len(chunk))

    def _add(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._on_bytes(self._sent, self._total)


def _send(connection: Connection, place: Place, file: tuple[str, Path], counter: _Counter) -> None:
    name, path = file
    size, _ = _size_and_change(path)
    try:
        response = connection.send(
            "PUT",
            f"{place.uri}/{quote(name)}?{place.signature}",
            content=counter.chunks(path),
            headers={"x-ms-blob-type": "BlockBlob", "Content-Length": str(size)},
            timeout=_LONGEST_WRITE_SECONDS,
        )
    except OSError as error:
        raise _unreadable(path, error) from None
    if response.is_error:
        raise _refused(name, response)


def _size_and_change(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return status.st_size, status.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot read {path}: {error.strerror}", code="FileUnreadable")


def _refused(name: str, response: httpx.Response) -> VerdazulError:
    family = Fatal if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else UserError
    return family(
        f"{without_query(str(response.url))} answered {response.status_code} to the upload of "
        f"{name}: {excerpt(response.text) or response.reason_phrase}",
        code="UploadFailed",
    )
