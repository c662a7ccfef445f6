"""An answer without what no two answers share: dates, generated ids, measured times.

What is dropped here is checked first: a generated id must look like one, a time like a time, and
the body's length was checked by the client.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from serve.tests.differential.client import Reply
from serve.tests.differential.table import Case

_HOP = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_MILLISECONDS = re.compile(r"[0-9]+\.[0-9]{3}\Z")
_COUNTS = re.compile(r"[0-9]+ of [0-9]+\Z")
_IDS = frozenset({"x-request-id", "x-ms-request-id", "x-ms-client-request-id"})
_SHOWN_BYTES = 4000
_CANONICAL = b"{\n "


@dataclass(frozen=True)
class Post:
    """What the script sent to the sink."""

    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """What is compared; status 0: the connection was closed without an answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    interim: tuple[int, ...] = ()
    fault: str = ""
    posts: tuple[str, ...] = ()
    closes: bool = False  # the connection, after the answer; no part of `lines`

    def lines(self) -> list[str]:
        """The whole as text, so that a difference is one line of it."""
        return [
            f"status {self.status}",
            *(f"interim {status}" for status in self.interim),
            *(f"{name}: {value}" for name, value in sorted(self.headers, key=lambda h: h[0])),
            *(f"body {line}" for line in shown(self.body)),
            *([f"fault: {self.fault}"] if self.fault else []),
            *(f"post {post}" for post in self.posts),
        ]


def outcome(case: Case, reply: Reply, posts: tuple[Post, ...] = ()) -> Outcome:
    """The comparable part of `reply` to `case`."""
    body = _canonical(reply.body) if case.body == "json" else reply.body
    headers = tuple(_comparable(case, reply))
    told = tuple(_post(post) for post in posts)
    closes = "close" in reply.values("connection")
    return Outcome(reply.status, headers, body, reply.interim, reply.fault, told, closes)


def shown(body: bytes) -> list[str]:
    """The bytes; for many of them their number, start and digest; for canonical JSON its lines."""
    if body.startswith(_CANONICAL):
        return body.decode().splitlines()
    if len(body) <= _SHOWN_BYTES:
        return [repr(body)]
    return [f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}: {body[:200]!r}..."]


def _comparable(case: Case, reply: Reply) -> list[tuple[str, str]]:
    generated: list[str] = []
    headers = []
    for name, value in reply.headers:
        if name in _HOP:
            continue
        if name in _IDS and _UUID4.match(value) and value.encode() not in case.request:
            if value not in generated:
                generated.append(value)
            headers.append((name, f"<new id {generated.index(value) + 1}>"))
        elif name == "x-ms-run-fn-exec-ms" and _MILLISECONDS.match(value):
            headers.append((name, "<milliseconds>"))
        elif name == "x-verdazul-busy-workers" and _COUNTS.match(value):
            headers.append((name, "<count> of <count>"))
        elif name == "allow":  # a set, in no order
            headers.append((name, ", ".join(sorted(value.split(", ")))))
        else:
            headers.append((name, value))
    return headers


def _canonical(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body), sort_keys=True, indent=1).encode()
    except ValueError:
        return body


def _post(post: Post) -> str:
    names = {"content-type", *(name for name in post.headers if name.startswith("ce-"))}
    told = {name: post.headers.get(name) for name in sorted(names) if name != "ce-time"}
    return f"{post.target} {told} {post.body!r}"
