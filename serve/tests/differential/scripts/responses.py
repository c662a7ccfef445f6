"""Returns the response object that the input names, from a script without decorators."""
# mypy: ignore-errors

import json

import flask
from azureml_inference_server_http.api.aml_response import AMLResponse

from flask import Response


class Mine(Response):
    default_mimetype = "application/x-mine"


class MineToo(AMLResponse):
    pass


def stream():
    yield "first "
    yield b"second ".decode()
    yield "third"


def binary_stream():
    yield b"\x00\x01"
    yield b""
    yield b"\xff"


def breaking_stream():
    yield "begun"
    raise ValueError("half-way")


def with_cookie():
    response = Response("cookie", 200)
    response.set_cookie("name", "value", path="/", httponly=True)
    response.set_cookie("other", "a b")
    return response


def with_ids():
    headers = {"x-request-id": "mine", "x-ms-request-id": "mine", "X-Ms-Client-Request-Id": "mine"}
    return AMLResponse("ids", 200, headers)


def deleted_type():
    response = Response("no type")
    del response.headers["Content-Type"]
    return response


def later(value):
    response = Response(status=202)
    response.data = value
    response.headers["X-Later"] = "1"
    return response


MAKERS = {
    "str": lambda: AMLResponse("text", 200),
    "bytes": lambda: AMLResponse(b"\x00\x01\xfe\xff", 200),
    "none": lambda: AMLResponse(None, 200),
    "none-status": lambda: AMLResponse(None, 204),
    "json": lambda: AMLResponse({"a": [1, "é"]}, 200, json_str=True),
    "json-of-str": lambda: AMLResponse("text", 201, json_str=True),
    "json-none": lambda: AMLResponse(None, 200, json_str=True),
    "json-with-type": lambda: AMLResponse(
        {"a": 1}, 200, {"Content-Type": "application/problem+json"}, json_str=True
    ),
    "json-not-serialisable": lambda: AMLResponse({1, 2}, 200, json_str=True),
    "positional": lambda: AMLResponse([1], 202, {"X-One": "1"}, True, True),
    "unicode": lambda: AMLResponse("žluťoučký", 200),
    "type": lambda: AMLResponse("a,b", 200, {"Content-Type": "text/csv"}),
    "type-lower": lambda: AMLResponse("a,b", 200, {"content-type": "text/csv"}),
    "type-charset": lambda: AMLResponse(
        "a", 200, {"Content-Type": "text/plain; charset=iso-8859-1"}
    ),
    "type-comma": lambda: AMLResponse("a", 200, {"Content-Type": "text/plain, text/csv"}),
    "headers": lambda: AMLResponse("h", 200, {"X-One": "1", "x-two": " 2 "}),
    "headers-comma": lambda: AMLResponse("h", 200, {"X-Many": "1, 2,3 ,, 4"}),
    "headers-date": lambda: AMLResponse("h", 200, {"X-Date": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    "headers-empty": lambda: AMLResponse("h", 200, {"X-Empty": ""}),
    "headers-latin": lambda: AMLResponse("h", 200, {"X-Latin": "é"}),
    "headers-int": lambda: AMLResponse("h", 200, {"X-Int": 1}),
    "headers-newline": lambda: AMLResponse("h", 200, {"X-Bad": "a\r\nX-Injected: b"}),
    "headers-length": lambda: AMLResponse("four", 200, {"X-Length": "4"}),
    "failed": lambda: AMLResponse("f", 200, run_function_failed=True),
    "failed-500": lambda: AMLResponse("f", 500),
    "failed-503": lambda: AMLResponse("f", 503, {"Retry-After": "7"}, json_str=True),
    "failed-599": lambda: AMLResponse("f", 599, run_function_failed=False),
    "status-400": lambda: AMLResponse("bad", 400),
    "status-404": lambda: AMLResponse("none", 404),
    "status-418": lambda: AMLResponse("teapot", 418),
    "status-299": lambda: AMLResponse("odd", 299),
    "status-304": lambda: AMLResponse("", 304),
    "status-204": lambda: AMLResponse("", 204),
    "status-text": lambda: AMLResponse("t", "201 Made"),
    "redirect": lambda: flask.redirect("/elsewhere"),
    "list": lambda: AMLResponse(["a", "b"], 200),
    "tuple-of-bytes": lambda: AMLResponse((b"a", b"b"), 200),
    "int": lambda: AMLResponse(42, 200),
    "dict": lambda: AMLResponse({"a": 1}, 200),
    "stream": lambda: AMLResponse(stream(), 200),
    "stream-typed": lambda: AMLResponse(stream(), 200, {"Content-Type": "text/event-stream"}),
    "stream-binary": lambda: Response(binary_stream(), mimetype="application/octet-stream"),
    "stream-empty": lambda: AMLResponse(iter(()), 200),
    "stream-breaking": lambda: AMLResponse(breaking_stream(), 200),
    "stream-500": lambda: AMLResponse(stream(), 500),
    "stream-length": lambda: Response(stream(), headers={"Content-Length": "18"}),
    "flask": lambda: Response("plain flask"),
    "flask-json": lambda: Response(json.dumps([1]), 200, content_type="application/json"),
    "flask-500": lambda: Response("own failure", 500),
    "flask-mimetype": lambda: Response("x", mimetype="text/markdown"),
    "flask-repeated": lambda: Response("x", headers=[("X-A", "1"), ("X-A", "2")]),
    "flask-later": lambda: later(b"later"),
    "flask-no-type": deleted_type,
    "flask-cookie": with_cookie,
    "flask-subclass": lambda: Mine("mine"),
    "aml-subclass": lambda: MineToo({"a": 1}, 200, json_str=True),
    "own-ids": with_ids,
    "own-failed-header": lambda: AMLResponse("x", 200, {"x-ms-run-function-failed": "True"}),
    "own-server-version": lambda: AMLResponse("x", 200, {"x-ms-server-version": "mine"}),
    "own-exec-ms": lambda: AMLResponse("x", 200, {"x-ms-run-fn-exec-ms": "1.000"}),
    "own-trace": lambda: AMLResponse("x", 200, {"TraceId": "mine"}),
    "wrapped-in-tuple": lambda: (AMLResponse("x", 200), 201),
    "large": lambda: AMLResponse(bytes(range(256)) * 4096, 200),
    "large-stream": lambda: AMLResponse((b"%08d" % i * 1000 for i in range(100)), 200),
    "keyword": lambda: AMLResponse(
        message="k",
        status_code=200,
        response_headers={"X-K": "v"},
        json_str=False,
        run_function_failed=False,
    ),
}


def init():
    pass


def run(data):
    return MAKERS[data]()
