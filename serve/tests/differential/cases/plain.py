"""Undecorated scripts: bodies, query strings, methods and paths."""

from __future__ import annotations

from serve.tests.differential.bodies import (
    BINARY,
    MULTIPART,
    chunked,
    deflated,
    form,
    gzipped,
    part,
)
from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_CHUNKED = {"Transfer-Encoding": "chunked"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MULTI = {"Content-Type": MULTIPART}
_FILES = form(part("a", b"1"), part("file", BINARY, file="x.bin"))


def _post(name: str, body: bytes, headers: dict[str, str] | None = None) -> Case:
    return Case(f"plain-{name}", request(body=body, headers=headers or {}))


def _get(name: str, query: str, body: bytes = b"") -> Case:
    return Case(f"plain-get-{name}", request("GET", "/score" + query, body))


def _path(name: str, target: str, method: str = "POST", body: bytes = b"x") -> Case:
    body = b"" if method in {"GET", "HEAD", "OPTIONS"} else body
    return Case(f"plain-{name}", request(method, target, body))


_BODIES = (
    _post("text", b"hello"),
    _post("json", b'{"a": [1, 2]}', {"Content-Type": "application/json"}),
    _post("json-not-parsed", b"{bad", {"Content-Type": "application/json"}),
    _post("empty", b""),
    _post("unicode", "žluťoučký 漢字 \U0001f98a".encode()),
    _post("bom", b"\xef\xbb\xbfx"),
    _post("nul", b"a\x00b"),
    _post("newlines", b"a\r\nb\n"),
    _post("invalid-utf-8", b"ok \xff no"),
    _post("invalid-utf-8-start", b"\xc3("),
    _post("invalid-utf-8-end", b"cut \xe2\x82"),
    _post("invalid-utf-8-surrogate", b"\xed\xa0\x80"),
    _post("binary", BINARY),
    _post("latin-1", "é".encode("latin-1"), {"Content-Type": "text/plain; charset=iso-8859-1"}),
    _post("utf-16", "é".encode("utf-16"), {"Content-Type": "text/plain; charset=utf-16"}),
    _post("octet-stream", b"bytes", {"Content-Type": "application/octet-stream"}),
    _post("odd-type", b"odd", {"Content-Type": "///;=="}),
    _post("large", b"0123456789" * 500_000),
    _post("chunked", chunked(b"one ", b"two ", b"x" * 100_000), _CHUNKED),
    _post("chunked-upper", b"A\r\n0123456789\r\n0\r\n\r\n", {"Transfer-Encoding": "Chunked"}),
    _post("chunked-extension", b"3;a=b\r\nabc\r\n0\r\n\r\n", _CHUNKED),
    _post("chunked-empty", chunked(), _CHUNKED),
    _post("chunked-trailer", chunked(b"abc", trailer=b"X-After: 1\r\n"), _CHUNKED),
    _post("chunked-utf-8-cut", chunked(b"\xc3", b"\xa9"), _CHUNKED),
    _post("gzip", gzipped(b"hello"), {"Content-Encoding": "gzip"}),
    _post("deflate", deflated(b"hello" * 50), {"Content-Encoding": "deflate"}),
    _post("encoding-identity", b"hello", {"Content-Encoding": "identity"}),
    _post("form", b'{"a": 1}', _FORM),
    _post("form-charset", b"a=1&b=2", {"Content-Type": _FORM["Content-Type"] + "; charset=utf-8"}),
    _post("form-empty", b"", _FORM),
    _post("form-not-utf-8", b"a=\xff", _FORM),
    _post("multipart", _FILES, _MULTI),
    _post("multipart-text", form(part("a", b"1")), _MULTI),
    _post("multipart-no-boundary", b"hello", {"Content-Type": "multipart/form-data"}),
    _post("expect", b"expected", {"Expect": "100-continue"}),
    Case("plain-http-1.0", request(body=b"old", version="1.0")),
    Case("plain-close", request(body=b"x", headers={"Connection": "close"})),
    Case("plain-http-1.0-no-length", b"POST /score HTTP/1.0\r\nHost: score.test\r\n\r\n"),
    Case("plain-no-length", b"POST /score HTTP/1.1\r\nHost: score.test\r\n\r\n"),
)

_QUERIES = (
    _get("none", ""),
    _get("bare", "?"),
    _get("reference", "?a=1&b=[1,2]&c=x&c=2&d=null&e="),
    _get(
        "types", "?i=-1&f=1.50&t=true&n=NaN&s=%22q%22&o=%7B%22k%22:[1]%7D&big=123456789012345678901"
    ),
    _get("repeated", "?a=1&b=2&a=x&a="),
    _get("no-value", "?a&b&c=1"),
    _get("empty-name", "?=1&=2"),
    _get("empty-pairs", "?&&a=1&&"),
    _get("plus-and-percent", "?a=b+c%2Bd&e+f=g%20h"),
    _get("unicode", "?n%C3%A1zev=%E6%BC%A2"),
    _get("not-utf-8", "?a=%FF%FE&%C3=1"),
    _get("bad-percent", "?a=%&b=%1&c=%zz&%zz=1"),
    _get("equals", "?a=b=c&d==e"),
    _get("semicolon", "?a=1;b=2"),
    _get("question", "?a=1?b=2"),
    _get("slash", "?a=/x/../y"),
    _get("spaces-in-json", "?a=%5B1,%202%5D&b=%201%20"),
    _get("quoted", "?a='1'&b=%221"),
    _get("raw-bytes", "?a=\xc3\xa9&b=\xff"),
    _get("python-words", "?a=None&b=True&c=Infinity&d=-Infinity&e=1_000&f=01&g=1e5&h=0x10"),
    _get("nul", "?a=%00b"),
    _get("newline", "?a=%0D%0Ab"),
    _get("long", "?a=" + "x" * 3000),
    _get("many", "?" + "&".join(f"k{i}={i}" for i in range(200))),
    _get("brackets", "?a[]=1&a[]=2&b[c]=3"),
    _get("with-body", "?a=1", b"ignored"),
    _get("deep", "?a=" + "[" * 500 + "]" * 500),
)

_PATHS = (
    _path("post-query", "/score?a=1"),
    _path("head", "/score", "HEAD"),
    _path("options", "/score", "OPTIONS"),
    _path("put", "/score", "PUT"),
    _path("delete", "/score", "DELETE"),
    _path("patch", "/score", "PATCH"),
    _path("trace", "/score", "TRACE", b""),
    _path("unknown-method", "/score", "BREW"),
    _path("lower-method", "/score", "post"),
    _path("health", "/", "GET"),
    _path("health-query", "/?a=1", "GET"),
    _path("health-head", "/", "HEAD"),
    _path("health-options", "/", "OPTIONS"),
    _path("health-post", "/"),
    _path("health-delete", "/", "DELETE"),
    _path("swagger-post", "/swagger.json"),
    _path("swagger-head", "/swagger.json", "HEAD"),
    _path("swagger-options", "/swagger.json", "OPTIONS"),
    _path("unknown", "/other"),
    _path("unknown-get", "/other", "GET"),
    _path("unknown-head", "/other", "HEAD"),
    _path("unknown-options", "/other", "OPTIONS"),
    _path("metrics", "/metrics", "GET"),
    _path("healthz", "/healthz", "GET"),
    _path("trailing-slash", "/score/"),
    _path("below", "/score/more"),
    _path("upper", "/SCORE"),
    _path("encoded", "/%73core"),
    _path("encoded-slash", "/%2Fscore"),
    _path("double-slash", "//score"),
    _path("dots", "/./score"),
    _path("dots-up", "/x/../score"),
    _path("parameter", "/score;a=1"),
    _path("fragment", "/score#part"),
    _path("absolute", "http://score.test/score"),
    _path("absolute-query", "http://score.test/score?a=1", "GET"),
    _path("absolute-root", "http://score.test", "GET"),
    _path("encoded-query-mark", "/score%3Fa=1"),
    _path("not-utf-8", "/%FFscore"),
    _path("raw-bytes", "/sc\xf6re"),
    _path("star", "*", "OPTIONS"),
)

_BESIDE = """
import json

def init():
    global booted
    booted = True

def run(data, request_headers={}, times=2, *, sep="-"):
    return sep.join([data] * times) + str(booted) + str(len(request_headers) > 1)
"""

_DRIVER = """
import driver as driver_module

def init():
    driver_module.said = "from init"

def run(data):
    return "the outer run"
"""

_DRIVER_FILE = """
said = "not called"

def init():
    global said
    said = "wrong init"

def run(data):
    return [said, __name__, data]
"""

_SURROUNDINGS = """
import os, sys
from dataclasses import dataclass

@dataclass
class Config:
    name: str = "x"

def init():
    global config, place
    config = Config()
    place = os.path.basename(os.getcwd())

def run(data):
    code = os.environ["AML_APP_ROOT"]
    return {
        "name": __name__,
        "file": os.path.relpath(__file__, code),
        "cwd": [place, os.path.samefile(os.getcwd(), code)],
        "is_on_path": code in sys.path,
        "model": os.environ.get("AZUREML_MODEL_DIR"),
        "entry": os.path.basename(os.environ["AZUREML_ENTRY_SCRIPT"]),
        "config": repr(config),
    }
"""

_CALLABLE = """
import functools

def multiply(by, data):
    return data * by

class Scorer:
    def __call__(self, data):
        return "called " + data

def init():
    pass

"""

GROUPS = (
    Group("plain", World("echo.py"), (*_BODIES, *_QUERIES, *_PATHS)),
    Group("plain-beside", World(_BESIDE), (_post("extra-parameters", b"ab"),)),
    Group(
        "plain-driver",
        World(_DRIVER, files={"driver.py": _DRIVER_FILE}),
        (_post("driver-module", b"ab"),),
    ),
    Group(
        "plain-driver-no-module",
        World("driver_module = 3\ndef init(): pass\ndef run(data): return [data]\n"),
        (_post("driver-module-is-no-module", b"ab"),),
    ),
    Group(
        "plain-surroundings",
        World(_SURROUNDINGS, environ={"AZUREML_MODEL_DIR": "/models/m/1"}),
        (_post("surroundings", b""),),
    ),
    Group(
        "plain-class",
        World(_CALLABLE + "run = Scorer()\n"),
        (_post("run-is-an-object", b"ab"),),
    ),
    Group(
        "plain-partial",
        World(_CALLABLE + "run = functools.partial(multiply, 2)\n"),
        (_post("run-is-a-partial", b"ab"),),
    ),
)
