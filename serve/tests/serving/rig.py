"""The parent's side of lending, for real, with the test in the place of the worker process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from verdazul_serve import messages
from verdazul_serve.answers import Answer, error
from verdazul_serve.backoff import Backoff
from verdazul_serve.board import At, Board, Boards, Hand
from verdazul_serve.connection import Connection, Connections
from verdazul_serve.exchange import Exchange
from verdazul_serve.lending import Lending
from verdazul_serve.link import Worker
from verdazul_serve.messages import Kind, Message
from verdazul_serve.reading import Limits, Request
from verdazul_serve.requests import unpack
from verdazul_serve.traits import Traits
from verdazul_serve.turn import Turn
from verdazul_serve.zygote import Nursery

LIMITS = Limits(
    max_header_bytes=65536, max_body_bytes=10**6, header_timeout=30.0, idle_timeout=75.0
)
FAST = 0.001
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Caller:
    """A request that waits for a worker (a `lending.Caller`)."""

    def __init__(self, exchange: Exchange, expires: float) -> None:
        self.exchange = exchange
        self.expires = expires

    def expired(self) -> None:
        self.exchange.send(error(429, "expired"))

    def refused(self, why: str) -> None:
        self.exchange.send(error(503, why))

    def lost(self, why: str, exchange: Exchange) -> None:
        which = "this" if exchange is self.exchange else "a later one"
        exchange.send(error(500, f"{which}: {why}"))


class Client:
    """The other end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(5)

    def post(self, body: str = "") -> None:
        self.sock.sendall(
            f"POST /score HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def hear(self) -> bytes:
        return self.sock.recv(65536)


class Puppet:
    """A worker process, acted by the test."""

    def __init__(self, rig: Rig, number: int) -> None:
        ours, self.link = messages.socketpair()
        self.board: Board = rig.boards[number]
        self.end = Worker(rig, Nursery(self.link), self.board, (ours, Turn()), Backoff())
        self.turn = Turn(self.end.turn.ends)
        self.end.pid, self.end.ready_at = 1000 + number, 0.0
        self.link.settimeout(5)
        self.loans: list[Message] = []

    def pace(self, seconds: float) -> None:
        self.board.numbers[At.PACE] = seconds

    def receive(self) -> Message:
        """The next loan, taken in hand."""
        message = messages.receive(self.link)
        assert message is not None
        assert message.kind is Kind.LEND
        self.board.hands[message.slot] = Hand.HELD
        self.board.numbers[At.RECEIVED] = message.serial
        self.loans.append(message)
        return message

    def begin(self, *, ago: float = 0.0) -> None:
        """Enter run()."""
        now = asyncio.get_running_loop().time()
        numbers = self.board.numbers
        numbers[At.LIMIT] = now + 3600
        numbers[At.RUNS] += 1
        numbers[At.ALIVE] = numbers[At.STARTED] = now - ago
        self.turn.lay_down()

    def end_run(self) -> None:
        self.board.numbers[At.STARTED] = 0.0
        self.turn.take_up()

    def answer(self, loan: Message, text: bytes = ANSWER) -> None:
        os.write(loan.descriptor, text)

    def read(self, loan: Message) -> bytes:
        return os.read(loan.descriptor, 65536)

    def keep(self, loan: Message) -> None:
        self.board.hands[loan.slot] = Hand.CLEAN

    def say(self, kind: Kind, loan: Message, **more: Any) -> None:
        messages.send(self.link, Message(kind, loan.slot, loan.serial, **more))
        self.board.hands[loan.slot] = Hand.CLEAN

    def leave(self) -> None:
        """What the kernel does with the descriptors of a process that ends."""
        self.link.close()
        for loan in self.loans:
            os.close(loan.descriptor)

    def die(self, rig: Rig) -> None:
        """As the pool sees it."""
        self.leave()
        self.end.listen()
        self.end.status = 9
        rig.puppets.remove(self)
        self.end.bury()
        rig.lending.settle(self.end, "killed")


class Rig:
    """Everything of the parent between clients and workers."""

    def __init__(self, workers: int = 1) -> None:
        self.boards = Boards(workers)
        self.killed: list[tuple[Worker, int]] = []
        self.puppets: list[Puppet] = []
        self.clients: list[Client] = []
        self.refused: list[object] = []
        self.connections = Connections(self.refused.append)
        self.lending = Lending(
            lambda: [puppet.end for puppet in self.puppets],
            kill=lambda worker, number: self.killed.append((worker, number)),
        )
        self.puppets += [Puppet(self, number) for number in range(workers)]
        self.expires = float("inf")

    def heard(self, worker: Worker, message: Message) -> None:
        self.lending.heard(worker, message)

    def link_closed(self, worker: Worker) -> None:
        pass

    def client(self) -> Client:
        ours, theirs = socket.socketpair()
        Connection(ours, self._submit, LIMITS, self.connections)
        self.clients.append(Client(theirs))
        return self.clients[-1]

    def _submit(self, exchange: Exchange) -> None:
        if exchange.request.target == "/":
            exchange.send(Answer(200, (), b"probe"))
            return
        caller = Caller(exchange, self.expires)
        exchange.gone = lambda: self.lending.withdraw(caller)
        self.lending.submit(caller)


async def until(claim: Callable[[], Any]) -> Any:
    """Let the parent's loop turn until it is so."""
    deadline = asyncio.get_running_loop().time() + 5
    while not (value := claim()):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)
    return value


async def looks(rig: Rig, times: int = 2) -> None:
    """Let the parent look around so many times."""
    for _ in range(times):
        before = rig.lending._look

        def has_looked(before: object = before) -> bool:
            return rig.lending._look is not before

        await until(has_looked)


def play(story: Callable[[Rig], Coroutine[Any, Any, None]], *, workers: int = 1) -> None:
    """Run a story on a loop of its own."""

    async def run() -> None:
        rig = Rig(workers)
        for puppet in rig.puppets:
            puppet.end.traits = Traits()
        try:
            await story(rig)
        finally:
            rig.connections.abort()
            for puppet in tuple(rig.puppets):
                puppet.die(rig)
            for client in rig.clients:
                client.sock.close()
            await asyncio.sleep(0)

    asyncio.run(run())


def body_of(loan: Message) -> str:
    request: Request = unpack(loan.meta, loan.body)
    return request.body.decode()
