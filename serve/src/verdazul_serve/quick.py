"""The common request, read quickly: a recogniser that knows few forms and leaves the rest alone.

    POST /score HTTP/1.1, plain header lines, at most one Content-Length, the whole body, no more

What it takes is taken the same way by the full reader (reading.py), which the tests hold it to; for
anything else, valid or not, it returns None and the full reader decides. Clients repeat their
header lines, so lines that were found good are remembered.
"""

from __future__ import annotations

import re
from typing import TypeVar

from verdazul_serve.reading import Request

_START = re.compile(rb"(GET|POST) (/[!-~]*) HTTP/1\.1")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_FULL_READER_ONLY = frozenset(
    {b"transfer-encoding", b"expect", b"upgrade", b"connection", b"proxy-connection"}
)
_KEEP_ALIVE = b"keep-alive"
_MOST_DIGITS = 15  # of a length: no more are needed, and some would be too many for int()
_MOST_REMEMBERED = 512
_LONGEST_REMEMBERED = 256

_T = TypeVar("_T")


class QuickReader:
    """One for all connections of a worker; it holds nothing of any request."""

    def __init__(self, *, max_header_bytes: int, max_body_bytes: int) -> None:
        self._most_head = max_header_bytes
        self._most_body = max_body_bytes
        self._known: dict[bytes, tuple[bytes, bytes]] = {}
        self._starts: dict[bytes, tuple[str, str]] = {}

    def read(self, data: bytes) -> Request | None:
        """The request that `data` is; None when it takes a closer look."""
        head, end, body = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        first = self._starts.get(start) or self._start(start)
        if first is None or not end or len(head) > self._most_head:
            return None
        known, pairs = self._known, []
        for line in lines:
            pair = known.get(line) or self._line(line)
            if pair is None:
                return None
            pairs.append(pair)
        fields = dict(pairs)
        if len(fields) != len(pairs):  # a name that comes twice
            return None
        length = fields.get(b"content-length", b"0")
        is_number = length.isdigit() and len(length) <= _MOST_DIGITS
        if not is_number or int(length) != len(body) or len(body) > self._most_body:
            return None
        return Request.quick(first[0], first[1], pairs, fields, body)

    def _start(self, start: bytes) -> tuple[str, str] | None:
        match = _START.fullmatch(start)
        if match is None:
            return None
        first = match[1].decode(), match[2].decode()
        self._remember(self._starts, start, first)
        return first

    def _line(self, line: bytes) -> tuple[bytes, bytes] | None:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        name, value = match[1].lower(), match[2].rstrip(b" \t")
        if name in _FULL_READER_ONLY and not (name == b"connection" and value == _KEEP_ALIVE):
            return None
        self._remember(self._known, line, (name, value))
        return name, value

    @staticmethod
    def _remember(memory: dict[bytes, tuple[_T, _T]], line: bytes, what: tuple[_T, _T]) -> None:
        if len(line) <= _LONGEST_REMEMBERED:
            if len(memory) >= _MOST_REMEMBERED:
                memory.clear()
            memory[line] = what
