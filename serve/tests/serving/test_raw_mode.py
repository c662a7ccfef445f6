"""@rawhttp, and Flask's globals in scripts of every mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve.reading import Request

from .loading import loaded, request
from .scripts import INIT, JSON, RAW, SCHEMA, answer, value

pytestmark = pytest.mark.azure(88)


@pytest.mark.parametrize(
    "family", ["azureml_inference_server_http.api", "azureml.contrib.services"]
)
def test_any_decorated_function_switches_to_the_raw_request(tmp_path: Path, family: str) -> None:
    text = (
        INIT
        + f"""
from {family}.aml_request import rawhttp
rawhttp(len)
def run(request): return [request.method, request.path]
"""
    )
    with loaded(tmp_path, text) as script:
        assert script.methods == {"GET", "HEAD", "OPTIONS", "POST"}
        assert [value(script, request(each))[0] for each in sorted(script.methods)] == sorted(
            script.methods
        )


SHOW = (
    RAW
    + """
@rawhttp
def run(request, request_headers):
    return {
        "form": request.form.to_dict(),
        "files": {name: file.read().decode() for name, file in request.files.items()},
        "args": request.args.to_dict(flat=False),
        "json": request.get_json(silent=True),
        "data": request.get_data(as_text=True),
        "cookies": request.cookies,
        "path": request.full_path,
        "length": request.content_length,
        "secure": request.is_secure,
        "header": [request.headers["x-a"], request_headers["X-A"]],
        "rule": [str(request.url_rule), request.endpoint, request.remote_addr],
        "itself": request._get_current_object() is request,
    }
"""
)
PARTS = (
    b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\n\r\nhello\r\n--b--\r\n'
)


@pytest.fixture
def shown(tmp_path: Path) -> Any:
    with loaded(tmp_path, SHOW) as script:
        yield lambda asked: value(script, asked)


def test_the_raw_request_is_flasks(shown: Callable[[Request], Any]) -> None:
    found = shown(
        request(
            target="/score?a=1&a=%C3%BC",
            body=b'{"b": 2}',
            x_a="v",
            cookie="c=d",
            content_length="8",
            x_forwarded_proto="https",
            **JSON,
        )
    )

    assert found["args"] == {"a": ["1", "\u00fc"]}
    assert (found["json"], found["data"]) == ({"b": 2}, '{"b": 2}')
    assert (found["cookies"], found["length"]) == ({"c": "d"}, 8)
    assert (found["path"], found["secure"]) == ("/score?a=1&a=%C3%BC", True)
    assert (found["header"], found["itself"]) == (["v", "v"], True)
    assert found["rule"] == ["/score", "main.handle_score", "127.0.0.1"]


@pytest.mark.parametrize("framing", ["content_length", "transfer_encoding"])
def test_forms_and_files_of_the_raw_request_are_read(
    shown: Callable[[Request], Any], framing: str
) -> None:
    length = {"content_length": str(len(PARTS)), "transfer_encoding": "chunked"}[framing]
    kind = "multipart/form-data; boundary=b"

    found = shown(request(body=PARTS, x_a="v", content_type=kind, **{framing: length}))

    assert (found["form"], found["files"]) == ({"a": "1"}, {"f": "hello"})


FLASK = """
import flask
{header}
def run(request):
    if flask.request.args.get("case") == "abort": flask.abort(400)
    @flask.after_this_request
    def mark(response):
        response.headers["X-Marked"] = flask.request.method
        return response
    return flask.jsonify(a=flask.current_app.name)
"""


@pytest.mark.parametrize(
    ("start", "header"), [(RAW, "@rawhttp"), (INIT, ""), (SCHEMA, "@output_schema(Type(1))")]
)
def test_flasks_globals_work_in_every_mode(tmp_path: Path, start: str, header: str) -> None:
    asked = request(body=b'{"request": 1}', **JSON)
    with loaded(tmp_path, start + FLASK.format(header=header)) as script:
        found = answer(script, asked)

        assert json.loads(found.body) == {"a": "verdazul_serve"}
        assert ("X-Marked", "POST") in found.headers
        with pytest.raises(Exception, match="400 Bad Request"):
            answer(script, request("GET", "/score?case=abort&request=1"))


def test_a_script_without_flasks_globals_pays_for_no_context(tmp_path: Path) -> None:
    text = RAW.replace(", rawhttp", "") + "def run(data): return AMLResponse(data, 201)\n"

    with loaded(tmp_path, text) as script:
        assert list(script.arguments(request(body=b"x"))) == ["data"]
        assert answer(script, request(body=b"x")).status == 201


def test_an_async_run_has_its_request_throughout(tmp_path: Path) -> None:
    text = (
        RAW
        + """
import asyncio, flask
@rawhttp
async def run(request):
    await asyncio.sleep(0)
    return AMLResponse(flask.request.get_data() + request.data, 202)
"""
    )
    with loaded(tmp_path, text) as script:
        found = answer(script, request(body=b"x"))

    assert (script.is_async, found.status, found.body) == (True, 202, b"xx")
