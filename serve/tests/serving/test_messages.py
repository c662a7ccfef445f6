"""What parent and worker say to each other arrives whole, or as the loss of a connection."""

from __future__ import annotations

import itertools
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import messages
from verdazul_serve.messages import Flag, Kind, LinkLost, Message

Link = tuple[socket.socket, socket.socket]
SIZES = st.sampled_from([0, 1, 1000, (1 << 15) - 1, 1 << 15, (1 << 15) + 1, 300_000])
PLAIN = st.builds(
    Message,
    st.sampled_from([kind for kind in Kind if kind is not Kind.LEND]),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.floats(allow_nan=False),
    SIZES.map(lambda size: b"m" * size),
    SIZES.map(lambda size: b"b" * size),
    st.just(-1),
)
LONG = b"x" * 100_000


@pytest.fixture
def link() -> Iterator[Link]:
    one, other = messages.socketpair()
    one.settimeout(0)
    other.settimeout(0)
    yield one, other
    one.close()
    other.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(PLAIN)
def test_a_message_arrives_as_it_was_sent_and_leaves_nothing_open(message: Message) -> None:
    before = open_descriptors()
    one, other = messages.socketpair()
    with one, other:
        messages.send(one, message)

        assert messages.receive(other) == message
    assert open_descriptors() == before


@pytest.mark.parametrize("body", [b"", b"short", LONG])
def test_a_loan_brings_the_connection_and_the_request(link: Link, body: bytes) -> None:
    client, ours = socket.socketpair()
    with client, ours:
        loan = Message(Kind.LEND, 3, 7, meta=b"meta", body=body, descriptor=ours.fileno())
        messages.send(link[0], loan)
        heard = messages.receive(link[1])

        assert heard is not None
        assert heard._replace(descriptor=ours.fileno()) == loan
        os.write(heard.descriptor, b"hello")
        assert client.recv(10) == b"hello"
        assert not os.get_inheritable(heard.descriptor)
        os.close(heard.descriptor)


def test_messages_keep_their_borders_and_order(link: Link) -> None:
    sent = [Message(Kind.BACK, number, body=b"b" * number) for number in range(20)]
    for message in sent:
        messages.send(link[0], message)

    assert [messages.receive(link[1]) for _ in sent] == sent


def sent_until_full(link: Link) -> int:
    for count in itertools.count():
        try:
            messages.send(link[0], Message(Kind.BACK, count, body=b"x" * 30_000))
        except BlockingIOError:  # noqa: PERF203  # the end of it
            return count
    raise AssertionError


def test_what_does_not_fit_is_not_sent_at_all(link: Link) -> None:
    count = sent_until_full(link)

    heard = [messages.receive(link[1]) for _ in range(count)]
    assert [each and each.slot for each in heard] == list(range(count))
    with pytest.raises(BlockingIOError):
        messages.receive(link[1])


def test_the_other_side_being_gone_is_told(link: Link) -> None:
    link[1].close()

    assert messages.receive(link[0]) is None
    with pytest.raises(LinkLost):
        messages.send(link[0], Message(Kind.READY))


def test_what_was_said_before_the_end_is_still_heard(link: Link) -> None:
    messages.send(link[0], Message(Kind.BACK, 1, body=LONG))
    link[0].close()

    assert messages.receive(link[1]) == Message(Kind.BACK, 1, body=LONG)
    assert messages.receive(link[1]) is None


# no descriptors left


@contextmanager
def no_more_descriptors(*, but: int = 0) -> Iterator[None]:
    """This process can open so many more, for a while."""
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 200, hard))
    try:
        while True:
            try:
                held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:  # noqa: PERF203  # the end of it
                break
        for _ in range(but):
            os.close(held.pop())
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def test_a_long_message_that_cannot_be_sent_for_want_of_descriptors_says_so(link: Link) -> None:
    with no_more_descriptors(), pytest.raises(OSError, match="Too many open files"):
        messages.send(link[0], Message(Kind.LEND, 1, body=LONG, descriptor=0))

    with pytest.raises(BlockingIOError):
        messages.receive(link[1])


@pytest.mark.parametrize("free", [0, 1])
def test_a_message_whose_content_cannot_be_received_is_a_connection_that_broke(
    link: Link, free: int
) -> None:
    messages.send(link[0], Message(Kind.LEND, 3, 7, body=LONG, descriptor=0))
    with no_more_descriptors(but=free):
        heard = messages.receive(link[1])

    assert heard == Message(Kind.GONE, 3, 7, flags=Flag.BROKEN)


def test_a_worker_that_cannot_give_back_what_it_read_says_that_the_connection_broke(
    link: Link,
) -> None:
    with no_more_descriptors():
        messages.say(link[0], Message(Kind.BACK, 3, 7, body=LONG))

    assert messages.receive(link[1]) == Message(Kind.GONE, 3, 7, flags=Flag.BROKEN)
