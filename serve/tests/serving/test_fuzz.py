"""Any bytes at all, sent in any pieces to a live server: it lives on and mixes nothing up.

Seeded, so that a failure comes again; every check names the bytes that were sent.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from .process import Server
from .wires import Wire

PLAIN = """
import os, time
def init(): pass
def answer(data): return os.getpid() if data == "pid" else data
def run(data): return answer(data)
"""
SCRIPTS = {
    "plain": PLAIN,
    "slow": PLAIN + "def run(data): time.sleep(0.006); return answer(data)",  # nothing is kept
    "async": PLAIN + "async def run(data): return answer(data)",
    "batch": PLAIN
    + """
from verdazul_serve import batch
@batch(max_size=4, max_delay_ms=1)
def run(items): return [answer(item) for item in items]
""",
}
LIMITS = {"VERDAZUL_MAX_BODY_BYTES": "100000", "VERDAZUL_MAX_HEADER_BYTES": "4000"}
INNER = "GET /inner-{} HTTP/1.1\r\nHost: x\r\n\r\n"  # what a body looks like that wants to be more
STATUS = re.compile(r"HTTP/1\.1 [2-5]\d\d [A-Za-z ]*")
HEADER = re.compile(r"[A-Za-z-]+: [\t -~\x80-\xff]*")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module", params=SCRIPTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(SCRIPTS[request.param], files=None, **LIMITS) as server:
        pid = server.ready().score("pid").json
        yield server
        assert server.score("pid").json == pid  # it has never been replaced
        assert "Traceback" not in server.log
        assert "/inner-" not in server.log  # no body has been taken for a request
        assert server.stop() == 0


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # chosen to come again


def pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """Many small ones, few large ones, or one."""
    most = chance.choice([1, 7, 60, 1000, len(data)]) if len(data) < 3000 else len(data)
    while data:
        size = chance.randint(1, max(1, most))
        yield data[:size]
        data = data[size:]


def exchanged(server: Server, chance: random.Random, data: bytes) -> bytes:
    """All that comes back for these bytes, in pieces, and the end of sending."""
    with Wire(server.path) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces(chance, data):
                wire.send(piece)
            wire.sock.shutdown(1)
        return wire.rest()


def responses(data: bytes) -> list[int]:
    """The status of each; AssertionError unless the bytes are whole responses."""
    found = []
    data = data.replace(CONTINUE, b"")
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert mark
        assert STATUS.fullmatch(first), first
        for line in lines:
            assert HEADER.fullmatch(line), line
        (length,) = [line[16:] for line in lines if line.lower().startswith("content-length: ")]
        assert len(data) >= int(length)
        data = data[int(length) :]
        found.append(int(first[9:12]))
    return found


# requests that are right


class Asked(NamedTuple):
    """A valid request, and what it is answered."""

    data: bytes
    status: int
    body: bytes


def asked(chance: random.Random, number: int) -> Asked:
    """To run(), which echoes the body, or to a path that does not."""
    body = chance.choice(["", "x", INNER.format(number) * 2, "é" * 300, "\r\n\r\n", "y" * 40_000])
    text = body.encode()
    lines = [f"x-request-id: id-{number}", "Accept: */*", "X-Empty:", "Cookie: " + "c" * 300]
    lines = chance.sample(lines, chance.randint(0, len(lines)))
    target = chance.choice(["/score", "/score?a=1", "http://h/score", "//score", "/nowhere"])
    if chance.random() < 0.5:
        lines.append("transfer-encoding: Chunked")
        text = b"".join(chunks(chance, text))
    else:
        lines.append(f"content-length: {len(text)}")
    if chance.random() < 0.1:
        lines.append("Expect: 100-continue")
    chance.shuffle(lines)
    if target == "/nowhere":
        return Asked(message(f"POST {target} HTTP/1.1", lines, text), 404, b"")
    said = b'"' + body.encode("unicode_escape").replace(b"\\xe9", b"\\u00e9") + b'"'
    return Asked(message(f"POST {target} HTTP/1.1", lines, text), 200, said)


def message(start: str, lines: list[str], text: bytes) -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode() + text


def chunks(chance: random.Random, text: bytes) -> Iterator[bytes]:
    while text:
        size = chance.randint(1, max(1, len(text)))
        extension = chance.choice(["", "", ";a", ";a=b"])
        yield f"{size:X}{extension}\r\n".encode() + text[:size] + b"\r\n"
        text = text[size:]
    yield chance.choice([b"0\r\n\r\n", b"0\r\nX-Late: 7\r\n\r\n", b"000;x\r\n\r\n"])


@pytest.mark.parametrize("seed", range(4))
def test_right_requests_are_each_answered_in_order_whatever_pieces_they_come_in(
    server: Server, seed: int
) -> None:
    chance = seeded(seed)
    for _ in range(25):
        stream = [asked(chance, number) for number in range(chance.randint(1, 5))]
        data = b"".join(each.data for each in stream)
        with Wire(server.path) as wire:
            for piece in pieces(chance, data):
                wire.send(piece)
            got = [wire.read() for _ in stream]

            assert [each.status for each in got] == [each.status for each in stream], data
            for here, there in zip(got, stream):
                assert there.status == 404 or here.body == there.body, data
            assert wire.probe().status == 200


# requests that are not

HOW = "POST /score HTTP/1.1\r\n"
TWICE = [  # where a body ends is told in two ways, or in a way that others read differently
    "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n\r\n0\r\n\r\n{inner}",
    "Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{inner}",
    "Content-Length: {n}\r\nContent-Length: 0\r\n\r\n{inner}",
    "Content-Length: 0, {n}\r\n\r\n{inner}",
    "Content-Length: +0\r\n\r\n{inner}",
    "Content-Length: 0x0\r\n\r\n{inner}",
    "Content-Length : {n}\r\n\r\n{inner}",
    "Content-Length\x00: {n}\r\n\r\n{inner}",
    "Content-Length: \x0b0\r\n\r\n{inner}",
    "X: y\r\n Content-Length: {n}\r\n\r\n{inner}",
    "Content-Length: 0\r\n {n}\r\n\r\n{inner}",
    "X: y\rContent-Length: {n}\r\n\r\n{inner}",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n0\n\n{inner}",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n{inner}",
    "Expect: 100-continue, x\r\nContent-Length: {n}\r\n\r\n{inner}",
]


@pytest.mark.parametrize("rest", TWICE)
def test_a_body_whose_end_can_be_told_in_two_ways_is_refused_with_all_that_follows(
    server: Server, rest: str
) -> None:
    inner = INNER.format("smuggled")
    data = (HOW + rest.format(n=len(inner), inner=inner)).encode("latin-1")
    for seed in range(3):
        (status,) = responses(exchanged(server, seeded(seed), data))

        assert status in {400, 413, 417, 501}


LINES = [
    b"GET / HTTP/1.1\r\n",
    b"GET /score HTTP/1.0\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"POST /score HTTP/1.1\r\n",
    b"M-SEARCH /score HTTP/1.1\r\n",
    b"POST /score?\xff\xfe HTTP/1.1\r\n",
    b"POST /" + b"%2e" * 2000 + b" HTTP/1.1\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\x00",
    b"x" * 5000,
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"x-ms-client-request-id: " + b"\xe9" * 100 + b"\r\n",
    b"x-ms-client-request-id: a\x1b[0m\tb\r\n",
    b"traceparent: 00-" + b"0" * 32 + b"\r\n",
    b"x-verdazul-max-queue-wait-ms: " + "\u0663".encode() + b"\r\n",
    b"x-envoy-expected-rq-timeout-ms: \xb2\r\n",
    b" folded\r\n",
    b"\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"hello",
]


def mutated(chance: random.Random, number: int) -> bytes:
    """Right requests with bytes changed, cut out, doubled, and lines of others put in."""
    data = bytearray(b"".join(asked(chance, number).data for _ in range(chance.randint(1, 3))))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(data) + 1)
        end = at + chance.choice([0, 0, 1, 5, 100])
        new = [b"", bytes([chance.randrange(256)]), bytes(data[at:end]) * 2, chance.choice(LINES)]
        data[at:end] = chance.choice(new)
    return bytes(data[: chance.randint(0, len(data))] if chance.random() < 0.3 else data)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_is_answered_by_whole_responses_or_none_and_nobody_else_notices(
    server: Server, seed: int
) -> None:
    chance = seeded(seed)
    with Wire(server.path) as kept:
        for number in range(60):
            data = mutated(chance, number).replace(b"/inner-", b"/other-")
            try:
                responses(exchanged(server, chance, data))
            except AssertionError as reason:
                raise AssertionError(data) from reason
            assert kept.ask(f"{number}").json == f"{number}"
            assert server.score(f"{number}").json == f"{number}"


@pytest.mark.parametrize("seed", range(2))
def test_lines_thrown_together_do_no_harm_either(server: Server, seed: int) -> None:
    chance = seeded(seed)
    for number in range(60):
        data = b"".join(chance.choices(LINES, k=chance.randint(1, 12)))
        try:
            responses(exchanged(server, chance, data))
        except AssertionError as reason:
            raise AssertionError(data) from reason
        assert server.score(f"{number}").json == f"{number}"
