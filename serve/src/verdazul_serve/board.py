"""What a worker tells its parent without sending anything: a page of memory that both see.

One page for each worker, mapped before the first fork. A worker writes what it is doing, which of
its connections it holds a request of, its counters and its unwritten log lines; so all that is
known of it survives its death, however it dies, and telling costs no system call.

    numbers (doubles) | counters (doubles) | one byte a connection | log lines: length, bytes

Numbers are written by one side each. What must not be torn apart is guarded by the turn (turn.py).
"""

from __future__ import annotations

import mmap
import resource
import struct

CONNECTIONS = 1024  # that a worker can have at the same time, if it may have that many open
_FEWEST = 4
LOG_BYTES = 1 << 16
_NUMBERS = 16
_COUNTERS = 128
_LENGTH = struct.Struct("=Q")
_BYTES_AT = 8 * (_NUMBERS + _COUNTERS)
_LOG_AT = _BYTES_AT + CONNECTIONS
SIZE = (_LOG_AT + _LENGTH.size + LOG_BYTES + 4095) // 4096 * 4096


class At:
    """Where a number stands; times are of the monotonic clock, in seconds.

    No Enum: members of one are slow to look up, and this is done dozens of times a request.
    """

    RUNS = 0  # worker: how many run() calls have begun
    STARTED = 1  # worker: when the one that runs began; 0 between two
    LIMIT = 2  # worker: when it has to be over
    RECEIVED = 3  # worker: serial number of the last loan it has taken in hand
    TAKEN = 4  # parent: loans up to this serial number are its own again unless in hand
    STOP = 5  # parent: the number (see RUNS) of the call to be broken off
    PACE = 6  # worker: seconds a call takes, averaged; 0 before the first
    ALIVE = 7  # worker: its last sign of life while a call runs
    CLOSING = 8  # parent: not 0 when connections are to end with their next answer
    DUE = 9  # worker: when the caller of the one that runs stops waiting; 0 or inf if never


class Hand:
    """The byte of a connection: what a death of the worker would mean for it."""

    CLEAN = 0  # nothing of it has been read that was not answered in full
    HELD = 1  # the request that it was lent with is being run
    ANSWERING = 2  # bytes of the answer may be out
    READING = 3  # bytes may have been read
    FOLLOWING = 4  # a request that only the worker knows is being run
    ANSWERED = 5  # the answer is out; as good as CLEAN, but not to be taken before that


class Boards:
    """The memory of all pages; made before the first fork, seen by every process after it."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, SIZE * count)
        self._count = count
        self._connections = _connections()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Board:
        if not 0 <= number < self._count:
            raise IndexError(number)
        page = memoryview(self._memory)[SIZE * number : SIZE * (number + 1)]
        return Board(page, self._connections)


def _connections() -> int:
    """Half of what a process may have open: the other half is for the script."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_limited = most != resource.RLIM_INFINITY
    return max(_FEWEST, min(CONNECTIONS, most // 2)) if is_limited else CONNECTIONS


class Board:
    """One page: `numbers`, `counters` and `hands` are written to as they are."""

    def __init__(self, page: memoryview, connections: int = CONNECTIONS) -> None:
        self.connections = connections
        middle = 8 * _NUMBERS
        self.numbers = page[:middle].cast("d")
        self.counters = page[middle:_BYTES_AT].cast("d")
        self.hands = page[_BYTES_AT:_LOG_AT]
        self.log = Lines(page[_LOG_AT : _LOG_AT + _LENGTH.size + LOG_BYTES])

    def reset(self) -> None:
        """For the next worker: everything but the counters, which go on."""
        self.numbers[:] = memoryview(bytes(8 * _NUMBERS)).cast("d")
        self.hands[:] = bytes(CONNECTIONS)
        self.log.clear()


class Lines:
    """Log lines that are not yet written to the log, kept where a crash cannot lose them."""

    def __init__(self, place: memoryview) -> None:
        self._place = place
        self._used = 0

    def add(self, line: bytes) -> bool:
        """False when there is no room: take what is there, write it, and write this one too."""
        start = _LENGTH.size + self._used
        end = start + len(line)
        if end > len(self._place):
            return False
        self._place[start:end] = line
        self._used += len(line)
        _LENGTH.pack_into(self._place, 0, self._used)
        return True

    def all(self) -> bytes:
        """Also for a reader that did not write them."""
        (used,) = _LENGTH.unpack_from(self._place)
        return bytes(self._place[_LENGTH.size : _LENGTH.size + used])

    def clear(self) -> None:
        """They are written."""
        _LENGTH.pack_into(self._place, 0, 0)
        self._used = 0
