"""Sending a folder to the place the server named for it.

Files go straight from disk, a few at a time. The place's own signature opens it; our token is not
sent along. A file that changes meanwhile would be stored under a digest it does not have, so the
files are looked at before their digest is taken and again after the last one was sent.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as pool:
        try:
            wait([pool.submit(_try_to_send, connection, place, file, counter) for file in files])
        finally:
            counter.stop()
    if counter.failure:
        raise counter.failure


class _Counter:
    """Adds up what all threads have sent; once stopped, makes their next chunk the last."""

    def __init__(self, total: int, on_bytes: Callable[[int, int], None]) -> None:
        self._total = total
        self._on_bytes = on_bytes
        self._sent = 0
        self._lock = Lock()
        self.is_stopped = False
        self.failure: Exception | None = None

    def stop(self) -> None:
        self.is_stopped = True

    def fail(self, error: Exception) -> None:
        """Keep the first failure; what the stop itself causes elsewhere tells nothing."""
        with self._lock:
            self.failure = self.failure or error
            self.is_stopped = True

    def chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                if self.is_stopped:
                    raise Fatal("the upload was stopped", code="UploadStopped")
                yield chunk
                self._add(len(chunk))

    def _add(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._on_bytes(self._sent, self._total)


def _try_to_send(
    connection: Connection, place: Place, file: tuple[str, Path], counter: _Counter
) -> None:
    if counter.is_stopped:
        return
    try:
        _send(connection, place, file, counter)
    except Exception as error:  # noqa: BLE001 - raised again by `upload`, in the caller's thread
        counter.fail(error)


def _send(connection: Connection, place: Place, file: tuple[str, Path], counter: _Counter) -> None:
    name, path = file
    size, _ = _size_and_change(path)
    url = f"{place.uri}/{_quoted(name)}?{place.signature}"
    try:
        response = connection.send(
            "PUT",
            url,
            content=counter.chunks(path),
            headers={
                "x-ms-blob-type": "BlockBlob",
                "Content-Length": str(size),
                "x-ms-meta-executable": str(bool(path.stat().st_mode & stat.S_IXUSR)).lower(),
            },
            timeout=_LONGEST_WRITE_SECONDS,
        )
    except OSError as error:
        raise unreadable(path, error) from None
    if response.is_error:
        raise _refused(name, response)


def _quoted(name: str) -> str:
    try:
        return quote(name)
    except UnicodeEncodeError:
        raise UserError(
            f"the file name {name!a} is not UTF-8", code="UnusableFile", fix="rename the file"
        ) from None


def _size_and_change(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return status.st_size, status.st_mtime_ns


def unreadable(path: object, error: OSError) -> UserError:
    """Say which file could not be read."""
    return UserError(f"cannot read {path}: {error.strerror}", code="FileUnreadable")


def _refused(name: str, response: httpx.Response) -> VerdazulError:
    family = Fatal if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else UserError
    return family(
        f"{without_query(str(response.url))} answered {response.status_code} to the upload of "
        f"{name}: {excerpt(response.text) or response.reason_phrase}",
        code="UploadFailed",
    )
