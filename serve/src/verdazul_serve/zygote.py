"""The processes that fork workers, reap them and kill them when asked.

The zygote is small and clean: forked from the parent before the parent opens its event loop, it
holds no connection, no thread and no user code, so a replacement forked an hour later is as clean
as the first worker. With several workers, the first that it forks loads the script and then either
becomes the mother, which forks all the others with the loaded model in place, or, when that would
not be safe, a worker like any other (sharing.py decides).

Who forks is the only reaper, and so the only one who may signal a worker's pid without hitting a
stranger.

    parent -> nursery   {"spawn": number} with descriptors: link, turn, turn
                        {"kill": pid, "signal": n}
                        {"first": number} with link, turn, turn, control
    nursery -> parent   {"spawned": number, "pid": pid}   {"refused": number, "error": text}
                        {"exited": pid, "status": n, "peak": bytes}
    first -> parent     {"shared": true} or {"alone": why}
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from dataclasses import dataclass
from typing import Any

from verdazul_serve import exits, messages
from verdazul_serve.turn import Turn

_LARGEST = 4096
_MOST_DESCRIPTORS = 4


class Nursery:
    """The parent's end: ask for workers, hear of them."""

    def __init__(self, control: socket.socket, pid: int = 0) -> None:
        self.control = control
        self.pid = pid

    @staticmethod
    def pair() -> tuple[socket.socket, socket.socket]:
        """Our end and the worker's end of a new link."""
        return messages.socketpair()

    def spawn(self, number: int, link: socket.socket, turn: Turn) -> None:
        """Fork a worker for board `number`; `link` is closed here."""
        with link:
            self._order({"spawn": number}, link.fileno(), *turn.ends)

    def spawn_first(
        self,
        number: int,
        link: socket.socket,
        turn: Turn,
        control: tuple[socket.socket, socket.socket],
    ) -> Nursery:
        """Fork a worker that may become a mother; the answer speaks for it."""
        ours, theirs = control
        with link, theirs:
            self._order({"first": number}, link.fileno(), *turn.ends, theirs.fileno())
        return Nursery(ours)

    def kill(self, pid: int, number: int) -> None:
        """Without the other side the kernel has killed the workers already."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.control.send(_pack({"kill": pid, "signal": number}))

    def news(self) -> dict[str, Any] | None:
        """The next message, None when the other side is gone. Raises BlockingIOError."""
        data = self.control.recv(_LARGEST)
        return json.loads(data) if data else None

    def end(self) -> None:
        """Have the other side kill its workers and go; it says so by closing."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.control.close()

    def _order(self, order: dict[str, Any], *descriptors: int) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self.control, [_pack(order)], list(descriptors))


@dataclass
class Birth:
    """What a new worker finds: the number of its board, its link, its turn; a control if first."""

    number: int
    link: socket.socket
    turn: Turn
    control: socket.socket | None = None


def tend(control: socket.socket, *, first: Birth | None = None) -> Birth | None:
    """Fork, reap, kill. Returns the birth in a new worker, None when the parent is gone.

    `first` is a birth to begin with: the mother's own first child.
    """
    wake, woken = _wake_on_child_exit()
    children: set[int] = set()
    try:
        if first and _fork(first, control=control, children=children):
            _forget(control, wake, woken)
            return first
        waiting = select.poll()  # which knows no largest descriptor: a script may have many open
        for each in (control, wake):
            waiting.register(each, select.POLLIN)
        while True:
            readable = {descriptor for descriptor, _ in waiting.poll()}
            if wake.fileno() in readable:
                wake.recv(_LARGEST)
                _reap(control, children)
            if control.fileno() in readable:
                birth = _obey(control, children)
                if birth is not None:
                    _forget(control, wake, woken)
                    return birth
    except (EOFError, BrokenPipeError, ConnectionResetError):
        _end(children)
        return None


def say(control: socket.socket, news: dict[str, Any]) -> None:
    """A first worker speaks to the parent."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.send(_pack(news))


def _obey(control: socket.socket, children: set[int]) -> Birth | None:
    """Perform one order. Returns the birth in a new worker. Raises EOFError without a parent."""
    data, descriptors, _, _ = socket.recv_fds(control, _LARGEST, _MOST_DESCRIPTORS)
    if not data:
        raise EOFError
    order = json.loads(data)
    if "kill" in order:
        _kill(order, children)
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003
    link, read_end, write_end, *rest = descriptors
    birth = Birth(
        order.get("spawn", order.get("first")),
        socket.socket(fileno=link),
        Turn((read_end, write_end)),
        socket.socket(fileno=rest[0]) if rest else None,
    )
    return birth if _fork(birth, control=control, children=children) else None


def _fork(birth: Birth, *, control: socket.socket, children: set[int]) -> bool:
    """True in the new worker; here, what was meant for it is closed."""
    try:
        pid = os.fork()
    except OSError as error:
        control.send(_pack({"refused": birth.number, "error": str(error)}))
        pid = -1
    if not pid:
        return True
    if pid > 0:
        children.add(pid)
        control.send(_pack({"spawned": birth.number, "pid": pid}))
    birth.link.close()
    birth.turn.close()
    if birth.control:
        birth.control.close()
    return False


def _wake_on_child_exit() -> tuple[socket.socket, socket.socket]:
    wake, woken = socket.socketpair()
    wake.setblocking(False)  # noqa: FBT003
    woken.setblocking(False)  # noqa: FBT003
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return wake, woken


def _forget(*sockets: socket.socket) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for item in sockets:
        item.close()


def _reap(control: socket.socket, children: set[int]) -> None:
    for child in tuple(children):
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            children.discard(pid)
            peak = used.ru_maxrss * exits.RSS_UNIT
            control.send(_pack({"exited": pid, "status": status, "peak": peak}))


def _kill(order: dict[str, Any], children: set[int]) -> None:
    if order["kill"] in children:
        os.kill(order["kill"], order["signal"])


def _end(children: set[int]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)


def _pack(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()
