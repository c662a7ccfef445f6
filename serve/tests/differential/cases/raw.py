"""What a @rawhttp script sees of the request."""

from __future__ import annotations

from urllib.parse import quote

from serve.tests.differential.bodies import BINARY, MULTIPART, chunked, form, gzipped, part
from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_MULTI = {"Content-Type": MULTIPART}
_CHUNKED = {"Transfer-Encoding": "chunked"}
_FILE = form(
    part("field", b"value"),
    part("file", BINARY, file="picture.png", kind="image/png"),
    part("file", "žluť".encode(), file="žluť.txt", kind="text/plain; charset=utf-8"),
    part("empty", b"", file="", kind="application/octet-stream"),
    part("field", "druhá".encode()),
)
_WHOLE = "data form files args values cookies type length json line"


def _look(
    name: str,
    what: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    query: str = "",
) -> Case:
    target = f"/score?look={quote(what)}{query}"
    return Case(f"raw-{name}", request(method, target, body, headers=headers or {}))


_READING = (
    _look("data", "data get_data", b"\x00\x01\xfe"),
    _look("empty", _WHOLE),
    _look("text", "get_text", "žluťoučký".encode(), {"Content-Type": "text/plain"}),
    _look("text-not-utf8", "get_text", b"\xff\xfe", {"Content-Type": "text/plain"}),
    _look("stream", "stream data", b"streamed"),
    _look("stream-after-data", "data stream", b"streamed"),
    _look("json", "json get_json is_json", b'{"a": [1, "\xc3\xa9"]}', _JSON),
    _look("json-charset", "json", b"[1]", {"Content-Type": "application/json; charset=utf-8"}),
    _look("json-suffix", "json is_json", b"[1]", {"Content-Type": "application/x+json"}),
    _look("json-bad", "json get_json_silent", b"{", _JSON),
    _look("json-not-typed", "json get_json_force get_json_silent", b"[1]"),
    _look("json-not-utf8", "json", b'"\xff"', _JSON),
    _look("json-latin-1", "json", '"é"'.encode("latin-1"), _JSON),
    _look("json-utf-16", "json", '"é"'.encode("utf-16"), _JSON),
    _look("json-empty", "json", b"", _JSON),
    _look("data-then-json", "data json", b"[1]", _JSON),
    _look("large", "data", BINARY * 1280),
    _look("chunked", "data length", chunked(b"one", b"two", BINARY), _CHUNKED),
    _look("chunked-json", "json", chunked(b'{"a":', b"1}"), {**_CHUNKED, **_JSON}),
    _look("gzip", "data type", gzipped(b"hello"), {"Content-Encoding": "gzip"}),
    _look("gzip-json", "json", gzipped(b"[1]"), {"Content-Encoding": "gzip", **_JSON}),
)

_FORMS = (
    _look("form", "form values data", b"a=1&b=2&a=3&c=&d=%C3%A9+x", _FORM),
    _look("form-data-first", "data form", b"a=1", _FORM),
    _look("form-get-data-first", "get_data form", b"a=1", _FORM),
    _look("form-multidict", "multidict", b"a=1&a=2&b=3", _FORM, query="&a=x&a=y"),
    _look("form-chunked", "form", chunked(b"a=", b"1&b=2"), {**_CHUNKED, **_FORM}),
    _look("form-odd", "form", b"&&a&=b&c==d&%zz=%&e=%FF", _FORM),
    _look("files", "files form values", _FILE, _MULTI),
    _look("files-data-first", "data files form", _FILE, _MULTI),
    _look("files-get-data-first", "get_data files", _FILE, _MULTI),
    _look("files-saved", "saved", _FILE, _MULTI),
    _look("files-large", "files", form(part("f", BINARY * 512, file="x")), _MULTI),
    _look("files-chunked", "files", chunked(_FILE[:50], _FILE[50:]), {**_CHUNKED, **_MULTI}),
    _look("files-no-end", "files form", _FILE[:-20], _MULTI),
    _look("files-no-boundary", "files form data", _FILE, {"Content-Type": "multipart/form-data"}),
    _look("files-other-boundary", "files form", _FILE, {"Content-Type": MULTIPART + "x"}),
    _look("files-none", "files form", form(), _MULTI),
)

_HEADS = (
    _look("get", _WHOLE, method="GET"),
    _look("get-args", "args values multidict", method="GET", query="&a=1&a=2&b=%C3%A9&c&d=+"),
    _look("get-body", "data json", b"[1]", _JSON, method="GET"),
    _look("options", "line data", method="OPTIONS"),
    _look("head", "line", method="HEAD"),
    _look("put", "line", b"x", method="PUT"),
    _look("args-odd", "args line", query="&%zz=1&=2&a=b=c&%FF=%FE&;x"),
    _look("line", "line urls environ", query="&x=%20y"),
    _look("kind", "kind same loaded", query="&x=1"),
    _look("client", "client"),
    _look("client-forwarded", "client", headers={"X-Forwarded-For": "10.0.0.1, 10.0.0.2"}),
    _look("cookies", "cookies", headers={"Cookie": 'a=1; b="two words"; c=%20; a=3; d'}),
    _look("header", "one_header", headers={"x-oNe": " spaced "}),
    _look("headers", "headers", headers={"X-One": "1", "Accept": "*/*", "X-Latin": "é"}),
    _look("headers-with-body", "headers", b"[1]", {**_JSON, "Traceparent": "00-1-2-03"}),
    _look("accept", "accept", headers={"Accept": "text/html;q=0.5, application/json"}),
    _look("auth-basic", "auth", headers={"Authorization": "Basic dXNlcjpwYXNz"}),
    _look("auth-bearer", "auth", headers={"Authorization": "Bearer token"}),
    _look("agent", "agent", headers={"User-Agent": "me/1", "Referer": "r", "Origin": "o"}),
    _look("etag", "etag", headers={"If-None-Match": '"a", W/"b"', "Range": "bytes=0-1"}),
    _look("type", "type", headers={"Content-Type": 'Text/HTML; Charset="utf-8"; a=b'}),
    Case(
        "raw-headers-repeated",
        request(
            target="/score?look=headers",
            headers=(("X-One", "1"), ("x-one", "2"), ("Accept", "a"), ("Accept", "b")),
        ),
    ),
    Case("raw-http-1.0", request(target="/score?look=line%20environ%20data", version="1.0")),
)

_ANSWERS = (
    _look("plain-value", "plain"),
    _look("plain-value-options", "plain", method="OPTIONS"),
    _look("abort", "abort"),
    _look("jsonify", "jsonify"),
    _look("make-response", "make_response"),
    Case("raw-health", request("GET", "/")),
    Case("raw-unknown-path", request("POST", "/other")),
    Case("raw-long-id", request(headers={"x-ms-request-id": "a" * 101})),
)

_CONTRIB = """
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    headers = dict(request.headers)
    return AMLResponse(request.data, 200, {"Content-Type": "image/png", "X-Host": headers["Host"]})
"""

_WITH_HEADERS = """
from azureml_inference_server_http.api.aml_request import rawhttp

def init():
    pass

@rawhttp
def run(request_headers, request):
    same = request_headers == dict(request.headers)
    return [type(request_headers).__name__, same, request.method, request.get_data(as_text=True)]
"""

_HELPER_DECORATED = """
from azureml_inference_server_http.api.aml_request import rawhttp

def init():
    pass

@rawhttp
def helper(request):
    return request.data.decode()

def run(anything):
    return helper(anything)
"""

_FEW = (("post", request(body=b"\x00sent")), ("get", request("GET", "/score?a=1")))


def _few(name: str, script: str, *, beside_original: bool = False) -> Group:
    world = World(script, beside_original=beside_original)
    return Group(name, world, tuple(Case(f"{name}-{verb}", sent) for verb, sent in _FEW))


GROUPS = (
    Group("raw", World("raw.py"), (*_READING, *_FORMS, *_HEADS, *_ANSWERS)),
    _few("raw-contrib", _CONTRIB),
    _few("raw-contrib-beside-original", _CONTRIB, beside_original=True),
    _few("raw-request-headers", _WITH_HEADERS),
    _few("raw-other-function-decorated", _HELPER_DECORATED),
)
