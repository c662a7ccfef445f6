"""The quick reader against the full one: what it takes, that one takes in the same way."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verdazul_serve.quick import QuickReader
from verdazul_serve.reading import Reader, Request, Stage

MOST_HEAD, MOST_BODY = 300, 40
NAMES = st.sampled_from(
    [
        "Host",
        "content-type",
        "Content-Length",
        "content-length",
        "CONTENT-LENGTH",
        "Content-Length ",
        "Transfer-Encoding",
        "Connection",
        "Proxy-Connection",
        "Upgrade",
        "Expect",
        "x-request-id",
        "X-Request-Id",
        "Keep-Alive",
        "",
        "bad name",
        "x\x00",
        "x:y",
        " folded",
        "é",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "0",
            "00",
            "3",
            "+3",
            "-3",
            "3 ",
            "\t3",
            "3,3",
            "3;",
            "0x3",
            "0" * 15 + "3",
            "0" * 30 + "3",
            "3" + "0" * 20,
            "9" * 5000,
            "chunked",
            "gzip, chunked",
            "keep-alive",
            "Keep-Alive",
            "close",
            "keep-alive, close",
            "100-continue",
            "h2c",
            "a\x00b",
            "a\nb",
            "a\rb",
            "a\r\n folded",
            "\x7f",
            "\x01",
            "\xe9\xff",
            "x" * 400,
        ]
    ),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=6),
)
LINES = st.tuples(NAMES, st.sampled_from([":", ": ", ":\t ", "", " : "]), VALUES).map("".join)
STARTS = st.one_of(
    st.sampled_from(
        [
            "POST /score HTTP/1.1",
            "GET /score?a=1 HTTP/1.1",
            "GET /score?a=%zz\\\"'<>^`{|} HTTP/1.1",
            "GET /score#part HTTP/1.1",
            "GET //evil/..//score HTTP/1.1",
            "POST http://h/score HTTP/1.1",
            "POST * HTTP/1.1",
            "POST /score HTTP/1.0",
            "POST /score HTTP/1.1 ",
            "POST  /score HTTP/1.1",
            "post /score HTTP/1.1",
            "PRI * HTTP/2.0",
            "CONNECT h:1 HTTP/1.1",
            "",
            " POST /score HTTP/1.1",
            "\r\nPOST /score HTTP/1.1",
            "POST /sc\x00re HTTP/1.1",
            "POST /scoré HTTP/1.1",
            "POST /score",
            "POST /" + "y" * 400 + " HTTP/1.1",
        ]
    ),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=20).map(
        lambda text: f"GET /{text} HTTP/1.1"
    ),
)
ENDS = st.sampled_from(
    ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\n\n"]
)
BODIES = st.one_of(
    st.binary(max_size=6), st.sampled_from([b"abc", b"x" * 41, b"GET / HTTP/1.1\r\n\r\n", b"\r\n"])
)

COMMON = [
    b'POST /score HTTP/1.1\r\nContent-Length: 3\r\n\r\n"a"',
    b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    b"GET /score?a=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /score HTTP/1.1\r\nX-Name:\t\xe9 \r\ncontent-length:2\r\n\r\nab",
]


def read_quickly(data: bytes) -> Request | None:
    return QuickReader(max_header_bytes=MOST_HEAD, max_body_bytes=MOST_BODY).read(data)


def read_fully(data: bytes) -> Request | None:
    """The one kept-alive request that the bytes are, to the last of them."""
    reader = Reader(max_header_bytes=MOST_HEAD, max_body_bytes=MOST_BODY)
    events = reader.feed(data)
    first = events[0] if events else None
    is_whole = len(events) == 1 and reader.stage is Stage.IDLE
    return first if is_whole and isinstance(first, Request) else None


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(LINES, max_size=5))
    body = draw(BODIES)
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f"Content-Length: {len(body)}")
    text = "".join(line + draw(ENDS) for line in [draw(STARTS), *lines])
    return (text + draw(ENDS)).encode("latin-1") + body


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good request with some of its bytes changed, taken away or put in."""
    data = bytearray(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nhello, world")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(data)


@settings(max_examples=300)
@given(st.one_of(requests(), mutated()))
@example(b"POST /score HTTP/1.1\r\nContent-Length: 0000000000000003\r\n\r\n")
@example(b"POST /score HTTP/1.1\r\nContent-Length: 0000000000000030\r\n\r\nabc")
@example(b"POST /score HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
@example(b"POST /score HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 0\r\n\r\nabc")
@example(b"POST /score HTTP/1.1\r\nX: a\nContent-Length: 3\r\n\r\nabc")
@example(b"POST /score HTTP/1.1\nContent-Length: 3\n\nabc")
@example(b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
@example(b"POST /score HTTP/1.1\r\nX: y\r\n folded\r\n\r\n")
def test_whatever_the_quick_reader_takes_the_full_one_takes_the_same_way(data: bytes) -> None:
    quick = read_quickly(data)

    if quick is not None:
        full = read_fully(data)
        assert full == quick
        assert full is not None
        assert full.fields == quick.fields


@given(st.sampled_from(COMMON), st.data())
def test_no_part_of_a_request_is_taken_for_one(whole: bytes, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(whole) - 1))

    assert read_quickly(whole[:size]) is None


@settings(max_examples=100)
@given(st.lists(requests(), min_size=2, max_size=8))
def test_what_it_remembers_of_one_request_never_changes_how_it_takes_another(
    stream: list[bytes],
) -> None:
    reader = QuickReader(max_header_bytes=MOST_HEAD, max_body_bytes=MOST_BODY)

    taken = [reader.read(data) for data in stream * 2]

    assert taken == [read_quickly(data) for data in stream * 2]


@pytest.mark.parametrize("data", COMMON)
def test_common_requests_are_taken(data: bytes) -> None:
    assert read_quickly(data) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /score HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",  # not whole
        b"POST /score HTTP/1.1",
        b"POST /score HTTP/1.1\r\n",
        b"POST /score HTTP/1.1\r\nCookie: a",
        b"POST /score HTTP/1.1\r\nCookie: a\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd",  # more than one
        b"POST /score HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"POST /score HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST /score HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: 41\r\n\r\n" + b"x" * 41,
        b"POST /score HTTP/1.1\r\nX: " + b"y" * 300 + b"\r\n\r\n",
    ],
)
def test_all_others_are_left_to_the_full_reader(data: bytes) -> None:
    assert read_quickly(data) is None


def test_its_memory_is_bounded_however_many_lines_clients_invent() -> None:
    reader = QuickReader(max_header_bytes=1000, max_body_bytes=10)

    for number in range(2000):
        assert reader.read(b"GET /%d HTTP/1.1\r\nX-%d: %d\r\n\r\n" % ((number,) * 3))
        reader.read(b"GET /x HTTP/1.1\r\nX: %d%s\r\n\r\n" % (number, b"y" * 300))

    assert len(reader._known) + len(reader._starts) <= 1024
