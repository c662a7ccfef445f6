"""HTTP as strangers speak it: in pieces, in heaps, wrongly, slowly."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from .process import Server, dial
from .test_workers import SCRIPT

LIMITS = {
    "VERDAZUL_MAX_BODY_BYTES": "1000000",
    "VERDAZUL_HEADER_TIMEOUT": "0.3",
    "VERDAZUL_IDLE_TIMEOUT": "0.6",
}
POST = b"POST /score HTTP/1.1\r\nHost: x\r\n"
LAST = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(SCRIPT, files=None, **LIMITS) as server:
        yield server.ready()
        assert "Traceback" not in server.log
        assert server.stop() == 0


def statuses(data: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def bodies(data: bytes) -> list[bytes]:
    return re.findall(rb"\r\n\r\n(.*?)(?=HTTP/1\.1|\Z)", data, re.DOTALL)


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    one = b"".join(POST + b"Content-Length: 2\r\n\r\n%02d" % number for number in range(40))

    answer = server.raw(one + b"GET /nope HTTP/1.1\r\n\r\n" + LAST)

    assert statuses(answer) == [200] * 40 + [404, 200]
    assert bodies(answer)[:40] == [b'"%02d"' % number for number in range(40)]


def test_a_thousand_pipelined_probes_are_answered(server: Server) -> None:
    answer = server.raw(b"GET / HTTP/1.1\r\n\r\n" * 1000 + LAST)

    assert statuses(answer) == [200] * 1001


def test_chunked_bodies_and_trailers_are_read(server: Server) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\n"

    answer = server.raw(chunked + b"X-Request-Id: trailer\r\n\r\n" + LAST)

    assert statuses(answer) == [200, 200]
    assert bodies(answer)[0] == b'"abcde"'
    assert b"trailer" not in answer


def test_bytes_one_by_one_make_the_same_request(server: Server) -> None:
    with dial(server.path) as sock:
        for byte in POST + b"Content-Length: 3\r\nConnection: close\r\n\r\nabc":
            sock.sendall(bytes([byte]))

        assert sock.recv(65536).endswith(b'"abc"')


def test_a_client_that_expects_100_gets_it_before_sending(server: Server) -> None:
    with dial(server.path) as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        first = sock.recv(65536)
        sock.sendall(b"abc")

        assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert sock.recv(65536).endswith(b'"abc"')


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/3.7\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (POST + b"Content-Length: -3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b" folded: x\r\n\r\n", 400),
        (POST + b"bad name: x\r\n\r\n", 400),
        (POST + b"x: a\x00b\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\n\r\n", 400),
        (POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx", 400),
        (POST + b"Expect: miracles\r\nContent-Length: 1\r\n\r\nx", 417),
        (POST + b"Content-Length: 1000001\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nF4241\r\n" + b"x" * 1000001, 413),
        (POST + b"x: " + b"y" * 70000 + b"\r\n\r\n", 431),
        (POST + b"x: y\r\n" * 12000 + b"\r\n", 431),
        (b"GET /" + b"y" * 70000, 431),
    ],
)
def test_bad_requests_are_refused_and_closed(
    server: Server, request_bytes: bytes, status: int
) -> None:
    answer = server.raw(request_bytes)

    assert statuses(answer) == [status]
    assert b'{"message": "' in answer
    assert b"connection: close" in answer
    assert server.score("next").status == 200


def test_good_requests_before_a_bad_one_are_answered_first(server: Server) -> None:
    answer = server.raw(POST + b"Content-Length: 1\r\n\r\nx" + b"bad\r\n\r\n" + LAST)

    assert statuses(answer) == [200, 400]


def test_a_client_still_sending_a_refused_body_can_read_why(server: Server) -> None:
    answer = server.raw(POST + b"Content-Length: 5000000\r\n\r\n" + b"x" * 5_000_000)

    assert statuses(answer) == [413]
    assert b"VERDAZUL_MAX_BODY_BYTES" in answer


def test_http_1_0_closes_unless_asked_to_keep_alive(server: Server) -> None:
    plain = server.raw(b"GET / HTTP/1.0\r\n\r\n")
    kept = server.raw(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)

    assert b"connection: close" in plain
    assert statuses(kept) == [200, 200]
    assert kept.count(b"connection: keep-alive") == 2


def test_a_stream_to_an_http_1_0_client_ends_with_the_connection() -> None:
    script = "def init(): pass\ndef run(data): return (x for x in 'abc')"
    with Server(script) as server:
        answer = server.ready().raw(b"GET /score HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nabc")


def test_slow_headers_are_given_up(server: Server) -> None:
    with dial(server.path) as sock:
        sock.sendall(b"GET / HT")

        assert statuses(sock.recv(65536)) == [408]


def test_a_body_that_stops_coming_is_given_up(server: Server) -> None:
    with dial(server.path) as sock:
        sock.sendall(POST + b"Content-Length: 10\r\n\r\nabc")

        assert statuses(sock.recv(65536)) == [408]


def test_idle_connections_are_closed_and_running_ones_are_not() -> None:
    script = "import time\ndef init(): pass\ndef run(data): time.sleep(0.5); return 1"
    with Server(script, VERDAZUL_IDLE_TIMEOUT="0.2", VERDAZUL_HEADER_TIMEOUT="0.2") as server:
        answer = server.ready().raw(POST + b"Content-Length: 0\r\n\r\n")

    assert statuses(answer) == [200]  # answered after 0.5 s, then closed as idle


def test_a_client_that_half_closes_still_gets_its_answer(server: Server) -> None:
    answer = server.raw(POST + b"Content-Length: 1\r\n\r\nx", half_close=True)

    assert statuses(answer) == [200]


def test_the_absolute_form_and_encoded_paths_are_understood(server: Server) -> None:
    absolute = server.raw(b"GET http://h/score?a=1 HTTP/1.1\r\nConnection: close\r\n\r\n")
    encoded = server.raw(b"GET /%73core HTTP/1.1\r\nConnection: close\r\n\r\n")

    assert absolute.endswith(rb'"{\"a\": 1}"')
    assert statuses(encoded) == [200]
