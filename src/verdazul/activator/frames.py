"""HTTP/2 as far as a gate needs it: a refusal is three frames, and an answer begins with one.

The activator passes bytes on and speaks only to refuse; its interpreter has the standard library
alone. A gate's connection carries one request, so that its stream is always the first. Frames are
those of RFC 9113; header fields are literals that no table remembers (RFC 7541, 6.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable

_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_STREAM = 1
_HEAD_BYTES = 9
_MOST_BYTES = 16_384  # of one frame, until settings allow more
_SHORT = 127  # lengths from here on take more bytes


def refusal(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Settings, the answer's head, and its body: all that the server says."""
    fields = [(":status", str(status)), *headers]
    block = b"".join(_literal(name.lower(), value) for name, value in fields)
    parts = [body[at : at + _MOST_BYTES] for at in range(0, len(body), _MOST_BYTES)] or [b""]
    return b"".join(
        [
            _frame(_SETTINGS, 0, 0),
            _frame(_HEADERS, _END_HEADERS, _STREAM, block),
            *(_frame(_DATA, 0, _STREAM, part) for part in parts[:-1]),
            _frame(_DATA, _END_STREAM, _STREAM, parts[-1]),
        ]
    )


class Answered:
    """Whether an instance has begun to answer, told by the frames it sends: settings come before.

    What ends inside a frame counts as begun: nobody else may speak there.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_sure = False

    def __bool__(self) -> bool:
        return self._is_sure or bool(self._rest)

    def see(self, data: bytes) -> None:
        """Take what came next."""
        self._rest += b"" if self._is_sure else data
        while len(self._rest) >= _HEAD_BYTES and not self._is_sure:
            end = _HEAD_BYTES + int.from_bytes(self._rest[:3])
            self._is_sure = self._rest[3] == _HEADERS
            if len(self._rest) < end:
                return
            del self._rest[:end]


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _literal(name: str, value: str) -> bytes:
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < _SHORT:
        return bytes([len(raw)]) + raw
    rest, more = len(raw) - _SHORT, bytearray([_SHORT])
    while rest >= 128:  # noqa: PLR2004 - seven bits a byte, RFC 7541, 5.1
        more.append(rest % 128 + 128)
        rest //= 128
    return bytes([*more, rest]) + raw
