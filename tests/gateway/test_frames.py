"""Laws of the few frames a gate knows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verdazul.activator import frames

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
HEADERS = b"\0\0\x01\x01\x04\0\0\0\x01\x88"
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
quiet = st.lists(st.sampled_from([SETTINGS, PING]), max_size=5).map(b"".join)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """The same bytes, as they may come."""
    found: list[bytes] = []
    while data:
        size = sizes[len(found) % len(sizes)]
        found.append(data[:size])
        data = data[size:]
    return found


@given(quiet, st.booleans(), cuts)
def test_an_answer_begins_with_headers_however_the_bytes_come(
    before: bytes,
    is_answered: bool,  # noqa: FBT001
    sizes: list[int],
) -> None:
    answered = frames.Answered()

    for piece in pieces(before + (HEADERS + b"more" if is_answered else b""), sizes):
        answered.see(piece)

    assert bool(answered) == is_answered


@given(quiet)
def test_what_ends_inside_a_frame_counts_as_begun(before: bytes) -> None:
    answered = frames.Answered()

    answered.see(before + PING[:10])

    assert answered


@given(
    st.dictionaries(st.text("abc-", min_size=1), st.text(min_size=0, max_size=300), max_size=3),
    st.binary(max_size=40_000),
)
def test_a_refusal_is_whole_frames_with_every_byte_of_its_body(
    headers: dict[str, str], body: bytes
) -> None:
    told = frames.refusal(503, headers.items(), body)

    kinds, data, ends = [], b"", []
    while told:
        size = int.from_bytes(told[:3])
        kinds.append(told[3])
        ends.append(told[4] & 1 if told[3] == 0 else 0)
        data += told[9 : 9 + size] if told[3] == 0 else b""
        told = told[9 + size :]
    assert kinds[:2] == [4, 1]
    assert set(kinds[2:]) == {0}
    assert data == body
    assert ends == [0] * (len(ends) - 1) + [1]
