"""Cross-origin requests."""

from __future__ import annotations

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_A, _B = "https://a.test", "https://b.test:8443"
_METHOD, _HEADERS = "Access-Control-Request-Method", "Access-Control-Request-Headers"

# name -> the allowed origins
_ALLOWED = {
    "one": _A,
    "several": f"{_A},{_B}",
    "spaced": f" {_B} , {_A} ",
    "star": "*",
    "star-and-one": f"*,{_A}",
    "pattern": r"https://.*\.test",
    "empty": "",
    "empty-among": f"{_A},,",
    "upper": "HTTPS://A.TEST",
}
_ORIGINS = {
    "none": None,
    "a": _A,
    "b": _B,
    "c": "https://c.test",
    "null": "null",
    "upper": "HTTPS://A.test",
}

# name -> method, target, headers
_ASKED: dict[str, tuple[str, str, dict[str, str]]] = {
    "post": ("POST", "/score", {}),
    "preflight": ("OPTIONS", "/score", {_METHOD: "POST"}),
}
_MORE_ASKED: dict[str, tuple[str, str, dict[str, str]]] = {
    "get": ("GET", "/score", {}),
    "health": ("GET", "/", {}),
    "health-preflight": ("OPTIONS", "/", {_METHOD: "GET"}),
    "swagger": ("GET", "/swagger.json?version=9", {}),
    "swagger-preflight": ("OPTIONS", "/swagger.json", {_METHOD: "GET"}),
    "options": ("OPTIONS", "/score", {}),
    "unknown": ("POST", "/other", {}),
    "unknown-preflight": ("OPTIONS", "/other", {_METHOD: "POST"}),
    "put": ("PUT", "/score", {}),
    "head": ("HEAD", "/", {}),
    "long-id": ("POST", "/score", {"x-request-id": "l" * 101}),
    "long-id-preflight": ("OPTIONS", "/score", {"x-request-id": "l" * 101, _METHOD: "POST"}),
    "preflight-put": ("OPTIONS", "/score", {_METHOD: "PUT"}),
    "preflight-headers": ("OPTIONS", "/score", {_METHOD: "POST", _HEADERS: "content-type, x-one"}),
    "preflight-headers-packed": ("OPTIONS", "/score", {_METHOD: "POST", _HEADERS: "X-B,x-a,x-a"}),
    "preflight-headers-empty": ("OPTIONS", "/score", {_METHOD: "POST", _HEADERS: ""}),
    "headers-only": ("OPTIONS", "/score", {_HEADERS: "x-one"}),
    "private-network": (
        "OPTIONS",
        "/score",
        {_METHOD: "POST", "Access-Control-Request-Private-Network": "true"},
    ),
    "credentials": ("POST", "/score", {"Cookie": "a=1", "Authorization": "Bearer x"}),
}


def _case(allowed: str, asked: str, origin: str, *, prefix: str = "cors") -> Case:
    method, target, headers = {**_ASKED, **_MORE_ASKED}[asked]
    given = _ORIGINS[origin]
    sent = {**headers, **({"Origin": given} if given else {})}
    body = b"x" if method == "POST" else b""
    name = f"{prefix}-{allowed}-{asked}-from-{origin}"
    return Case(name, request(method, target, body, headers=sent))


def _group(allowed: str) -> Group:
    cases = [_case(allowed, asked, origin) for asked in _ASKED for origin in _ORIGINS]
    if allowed in {"several", "star"}:
        cases += [_case(allowed, asked, origin) for asked in _MORE_ASKED for origin in ("a", "c")]
    world = World("echo.py", environ={"AML_CORS_ORIGINS": _ALLOWED[allowed]})
    return Group(f"cors-{allowed}", world, tuple(cases))


_RAW = """
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    own = request.args.get("own")
    headers = {"Access-Control-Allow-Origin": own} if own else {}
    if request.args.get("vary"):
        headers["Vary"] = request.args["vary"]
    if request.args.get("fail"):
        raise ValueError
    return AMLResponse(request.method, 200, headers)
"""


def _raw(name: str, query: str, *, method: str = "POST", origin: str = _A) -> Case:
    headers = {"Origin": origin, _METHOD: "POST"}
    return Case(f"cors-raw-{name}", request(method, f"/score?{query}", headers=headers))


GROUPS = (
    *(_group(allowed) for allowed in _ALLOWED),
    Group("cors-off", World("echo.py"), tuple(_case("off", a, "a") for a in _ASKED)),
    Group(
        "cors-raw",
        World(_RAW, environ={"AML_CORS_ORIGINS": f"{_A},{_B}"}),
        (
            _raw("plain", "x=1"),
            _raw("own", "own=https://mine.test"),
            _raw("own-from-unlisted", "own=https://mine.test", origin="https://c.test"),
            _raw("own-options", "own=https://mine.test", method="OPTIONS"),
            _raw("options", "x=1", method="OPTIONS"),
            _raw("vary", "vary=Accept"),
            _raw("fails", "fail=1"),
        ),
    ),
    Group(
        "cors-schema",
        World("schema_simple.py", environ={"AML_CORS_ORIGINS": _A}),
        (_case("schema", "post", "a"), _case("schema", "preflight", "a")),
    ),
)
