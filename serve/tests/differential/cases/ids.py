"""Request ids, other headers, and what a script sees of them."""

from __future__ import annotations

from itertools import product

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_OWN, _MS, _CLIENT = "x-request-id", "x-ms-request-id", "x-ms-client-request-id"
_SOME, _LONGEST, _LONG = "some id", "l" * 100, "l" * 101
_LENGTHS = {"longest": _LONGEST, "long": _LONG, "empty": ""}

Headers = tuple[tuple[str, str], ...]


def _sent(
    name: str, *headers: tuple[str, str], target: str = "/score", method: str = "POST"
) -> Case:
    body = b"x" if method == "POST" else b""
    return Case(f"ids-{name}", request(method, target, body, headers=headers))


def _combinations() -> list[Case]:
    """Every set of the three."""
    cases = []
    for chosen in product((True, False), repeat=3):
        names = [name for name, is_in in zip((_OWN, _MS, _CLIENT), chosen, strict=True) if is_in]
        told = "+".join(names) or "none"
        cases.append(_sent(told, *((name, f"given {name}") for name in names)))
    return cases


def _lengths() -> list[Case]:
    """Each alone: as long as may be, too long, empty; on /score and elsewhere."""
    cases = []
    for name, (told, value) in product((_OWN, _MS, _CLIENT), _LENGTHS.items()):
        cases.append(_sent(f"{name}-{told}", (name, value)))
        cases.append(_sent(f"{name}-{told}-health", (name, value), target="/", method="GET"))
    return cases


_OTHERS = (
    _sent("all-long", (_OWN, _LONG), (_MS, _LONG), (_CLIENT, _LONG)),
    _sent("own-and-ms-long", (_OWN, _SOME), (_MS, _LONG)),
    _sent("own-and-client-long", (_OWN, _SOME), (_CLIENT, _LONG)),
    _sent("own-long-unknown-path", (_OWN, _LONG), target="/other"),
    _sent("own-long-options", (_OWN, _LONG), method="OPTIONS"),
    _sent("own-long-put", (_OWN, _LONG), method="PUT"),
    _sent("own-long-swagger", (_OWN, _LONG), target="/swagger.json", method="GET"),
    _sent("empty-own-with-ms", (_OWN, ""), (_MS, _SOME)),
    _sent("empty-own-with-client", (_OWN, ""), (_CLIENT, _SOME)),
    _sent("empty-own-health", (_OWN, ""), target="/", method="GET"),
    _sent("empty-own-options", (_OWN, ""), method="OPTIONS"),
    _sent("empty-ms-with-client", (_MS, ""), (_CLIENT, _SOME)),
    _sent("ms-with-empty-client", (_MS, _SOME), (_CLIENT, "")),
    _sent("spaces", (_OWN, "   "), (_MS, " a  b ")),
    _sent("mixed-case-names", ("X-REQUEST-ID", "A"), ("X-Ms-Request-Id", "B")),
    _sent("repeated", (_OWN, "a"), (_OWN, "b")),
    _sent("repeated-long", (_OWN, "a" * 60), (_OWN, "b" * 60)),
    _sent("latin-1", (_OWN, "é" * 100)),
    _sent("utf-8", (_OWN, "é".encode().decode("latin-1"))),
    _sent("quotes", (_OWN, "\"a\", 'b';")),
    _sent("tab", (_OWN, "a\tb")),
    _sent("trace", ("TraceId", "trace 1")),
    _sent("trace-empty", ("TraceId", "")),
    _sent("trace-long", ("TraceId", "t" * 500)),
    _sent("trace-health", ("TraceId", "t"), target="/", method="GET"),
    _sent("trace-options", ("TraceId", "t"), method="OPTIONS"),
    _sent("trace-unknown-path", ("TraceId", "t"), target="/other"),
    _sent("trace-context", ("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")),
    _sent("given-unknown-path", (_OWN, "a"), (_MS, "b"), target="/other"),
    _sent("given-put", (_OWN, "a"), (_MS, "b"), method="PUT"),
    _sent("given-head", (_OWN, "a"), (_MS, "b"), method="HEAD"),
    _sent("given-swagger", (_OWN, "a"), target="/swagger.json?version=9", method="GET"),
    _sent("failed-header-sent", ("x-ms-run-function-failed", "True")),
    _sent("version-header-sent", ("x-ms-server-version", "mine")),
)


def _seen(name: str, *headers: tuple[str, str], method: str = "POST") -> Case:
    body = b"{}" if method == "POST" else b""
    return Case(f"headers-{name}", request(method, "/score?a=1", body, headers=headers))


_SEEN = (
    _seen("few"),
    _seen("get", method="GET"),
    _seen("cases", ("X-ONE", "1"), ("x-two", "2"), ("xThree", "3"), ("x-ms-FOUR", "4")),
    _seen("repeated", ("X-One", "1"), ("X-One", "2"), ("x-one", "3")),
    _seen("repeated-cookies", ("Cookie", "a=1"), ("Cookie", "b=2")),
    _seen("repeated-type", ("Content-Type", "text/plain"), ("Content-Type", "text/html")),
    _seen("empty", ("X-Empty", "")),
    _seen("spaces", ("X-Spaces", "  a  b  ")),
    _seen("latin-1", ("X-Latin", "é\xff")),
    _seen("utf-8", ("X-Utf", "漢".encode().decode("latin-1"))),
    _seen("underscore", ("X_Under", "1"), ("X-Dash", "2")),
    _seen("digits", ("X-1st", "1"), ("5xx", "2")),
    _seen("odd-names", ("X.Dot", "1"), ("X~Tilde", "2"), ("X!", "3")),
    _seen("long", ("X-Long", "l" * 7000)),
    _seen("many", *((f"X-Number-{number}", str(number)) for number in range(60))),
    _seen("ids", (_OWN, "own"), (_MS, "ms"), (_CLIENT, "client")),
    _seen("trace-context", ("traceparent", "00-1-2-03"), ("tracestate", "a=b,c=d")),
    _seen("typed", ("Content-Type", "application/json; charset=UTF-8")),
    _seen("auth", ("Authorization", "Bearer abc"), ("azureml-model-deployment", "blue")),
    _seen("hop", ("Connection", "close"), ("TE", "trailers"), ("Upgrade", "h2c")),
    _seen("proxy", ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https")),
    _seen("expect", ("Expect", "100-continue")),
    Case(
        "headers-chunked",
        request(headers={"Transfer-Encoding": "chunked"}, body=b"2\r\n{}\r\n0\r\n\r\n"),
    ),
    Case("headers-http-1.0", request(body=b"{}", version="1.0")),
    Case("headers-no-host-http-1.0", b"POST /score HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"),
)

_LAST = "def init(): pass\ndef run(data, request_headers): return request_headers['X-One'] + data\n"
_MIDDLE = """
def init(): pass
def run(data, request_headers, more=3):
    return [data, request_headers.get("X-One"), request_headers.get("x-one"), more]
"""
_KEYWORD = """
def init(): pass
def run(data, *, request_headers):
    return [data, request_headers["X-One"]]
"""
_OPTIONAL = """
def init(): pass
def run(data=None, request_headers=None):
    return [data, request_headers["X-One"]]
"""


def _placed(name: str, script: str) -> Group:
    sent = request(body=b"data", headers={"X-One": "one"})
    return Group(f"headers-{name}", World(script), (Case(f"headers-parameter-{name}", sent),))


GROUPS = (
    Group("ids", World("echo.py"), (*_combinations(), *_lengths(), *_OTHERS)),
    Group("headers", World("headers.py"), _SEEN),
    _placed("last", _LAST),
    _placed("middle", _MIDDLE),
    _placed("keyword-only", _KEYWORD),
    _placed("optional", _OPTIONAL),
)
