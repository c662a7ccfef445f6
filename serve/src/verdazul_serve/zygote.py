"""The small, clean process that forks the workers, reaps them and kills them when asked.

It is forked from the parent before the parent opens its event loop, and holds no connection, no
thread and no user code: a replacement forked an hour later is as clean as the first worker. Being
the only reaper, it is also the only one who may signal a worker's pid without hitting a stranger.
Workers load the script themselves; to share a loaded model, `_fork` is the place to load it first.

    parent -> zygote   {"spawn": token} with one descriptor   {"kill": pid, "signal": n}
    zygote -> parent   {"spawned": token, "pid": pid}   {"refused": token, "error": text}
                       {"exited": pid, "status": n}
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from typing import Any

from verdazul_serve import exits, worker
from verdazul_serve.settings import Settings

_LARGEST = 4096


class Nursery:
    """The parent's end: ask for workers, hear of them."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self.control = control
        self.pid = pid
        self._token = 0

    def spawn(self) -> tuple[int, socket.socket]:
        """A token that later messages carry, and our end of the new worker's link."""
        ours, theirs = socket.socketpair()
        self._token += 1
        with theirs:
            socket.send_fds(self.control, [_pack({"spawn": self._token})], [theirs.fileno()])
        return self._token, ours

    def kill(self, pid: int, number: int) -> None:
        """Without a zygote the kernel has killed the workers already."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.control.send(_pack({"kill": pid, "signal": number}))

    def news(self) -> dict[str, Any] | None:
        """The next message, None when the zygote is gone; BlockingIOError when there is none."""
        data = self.control.recv(_LARGEST)
        return json.loads(data) if data else None


def serve(control: socket.socket, settings: Settings, *, parent: int) -> int:
    """Run until the parent is gone. Returns in the zygote and in each worker: their exit code."""
    exits.die_with_parent(parent)
    exits.ignore_stop_signals()
    zygote = os.getpid()
    link = _tend(control)
    if link is None:
        return 0
    return worker.serve(link, settings, parent=zygote)


def _tend(control: socket.socket) -> socket.socket | None:
    """Fork, reap, kill. Returns the link in a new worker, None when the parent is gone."""
    wake, woken = _wake_on_child_exit()
    children: set[int] = set()
    try:
        while True:
            readable, _, _ = select.select([control, wake], [], [])
            if wake in readable:
                wake.recv(_LARGEST)
                _reap(control, children)
            if control in readable:
                link = _obey(control, children)
                if link is not None:
                    _forget(control, wake, woken)
                    return link
    except (EOFError, BrokenPipeError, ConnectionResetError):
        _end(children)
        return None


def _obey(control: socket.socket, children: set[int]) -> socket.socket | None:
    """Perform one order. Returns the link in a new worker. Raises EOFError without a parent."""
    data, descriptors, _, _ = socket.recv_fds(control, _LARGEST, 1)
    if not data:
        raise EOFError
    order = json.loads(data)
    if "kill" in order:
        _kill(order, children)
        return None
    link = socket.socket(fileno=descriptors[0])
    if _fork(order["spawn"], control=control, children=children):
        return link
    link.close()
    return None


def _fork(token: int, *, control: socket.socket, children: set[int]) -> bool:
    """True in the new worker."""
    try:
        pid = os.fork()
    except OSError as error:
        control.send(_pack({"refused": token, "error": str(error)}))
        return False
    if pid:
        children.add(pid)
        control.send(_pack({"spawned": token, "pid": pid}))
    return not pid


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
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        control.send(_pack({"exited": pid, "status": status}))


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
