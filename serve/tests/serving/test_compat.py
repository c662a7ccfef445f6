"""The modules that Azure's scripts import: ours, unless they are really there."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import flask
import pytest

from verdazul_serve import compat

from .loading import imports_put_back
from .process import SOURCE

pytestmark = pytest.mark.azure(91)

SERVER = "azureml_inference_server_http"
SERVICES = "azureml.contrib.services"


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with imports_put_back():
        compat.install()
        yield


@pytest.mark.parametrize("parent", [f"{SERVER}.api", SERVICES])
def test_both_families_of_imports_work(parent: str) -> None:
    names: dict[str, Any] = {}
    text = f"""
import {parent}.aml_request
import {parent}.aml_response as aml_response
from {parent}.aml_request import AMLRequest, rawhttp
from {parent}.aml_response import AMLResponse
"""
    exec(text, names)  # noqa: S102  # as a script writes it

    assert issubclass(names["AMLRequest"], flask.Request)
    assert issubclass(names["AMLResponse"], flask.Response)
    assert names["aml_response"].AMLResponse is names["AMLResponse"]


def test_the_families_are_one() -> None:
    for module in ("aml_request", "aml_response"):
        theirs = importlib.import_module(f"{SERVICES}.{module}")
        assert theirs is importlib.import_module(f"{SERVER}.api.{module}")


def test_classes_that_a_logging_json_names_are_found() -> None:
    module = importlib.import_module(f"{SERVER}.log_config")

    assert module.AMLLogFormatter().format
    assert module.RootAccessFilter().filter


@pytest.mark.parametrize(
    "name", ["azureml.core", "azureml.contrib.other", f"{SERVICES}.other", f"{SERVER}.server"]
)
def test_nothing_else_is_made_up(name: str) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)

    assert caught.value.name == name


def test_installing_twice_is_installing_once() -> None:
    finders = sys.meta_path[:]

    compat.install()

    assert sys.meta_path == finders


def test_flask_is_loaded_by_those_who_need_it() -> None:
    text = f"""
import sys
sys.path.append({SOURCE!r})
from verdazul_serve import compat, script
compat.install()
import {SERVER}.log_config, {SERVER}.api, {SERVICES}
before = "flask" in sys.modules
import {SERVER}.api.aml_request
print(before, "flask" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)

    assert ended.stdout == "False True\n"


def install(folder: Path, files: Mapping[str, str]) -> None:
    """As pip would: before our finder on the way."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(folder).parents:
            (folder / parent / "__init__.py").touch() if parent.name else None
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def test_the_original_wins_where_it_is_installed(tmp_path: Path) -> None:
    real = "_rawHttpRequested = True\nreal = 1\n"
    install(tmp_path, {f"{SERVER}/api/aml_request.py": real})

    assert importlib.import_module(f"{SERVICES}.aml_request").real == 1
    assert importlib.import_module(f"{SERVER}.api.aml_request").real == 1
    assert compat.wants_raw_http()
    assert importlib.import_module(f"{SERVER}.log_config").AMLLogFormatter  # which it lacks


def test_an_ordinary_azureml_package_stays_what_it_is(tmp_path: Path) -> None:
    install(tmp_path, {"azureml/ai/monitoring/__init__.py": "Collector = 1\n"})

    request = importlib.import_module(f"{SERVICES}.aml_request")
    monitoring = importlib.import_module("azureml.ai.monitoring")

    assert request.rawhttp
    assert monitoring.Collector == 1
    assert str(tmp_path) in (sys.modules["azureml"].__file__ or "")


def test_real_services_win_and_their_rawhttp_counts(tmp_path: Path) -> None:
    install(tmp_path, {"azureml/contrib/services/aml_request.py": "_rawHttpRequested = False\n"})
    module = importlib.import_module(f"{SERVICES}.aml_request")

    assert not compat.wants_raw_http()
    module._rawHttpRequested = True  # type: ignore[attr-defined]
    assert compat.wants_raw_http()


def test_rawhttp_returns_the_function_and_is_remembered() -> None:
    module = importlib.import_module(f"{SERVER}.api.aml_request")
    assert not compat.wants_raw_http()

    assert module.rawhttp(json.dumps) is json.dumps
    assert compat.wants_raw_http()


def aml_response(*arguments: Any, **more: Any) -> flask.Response:
    made = importlib.import_module(f"{SERVER}.api.aml_response").AMLResponse(*arguments, **more)
    assert isinstance(made, flask.Response)
    return made


HTML = "text/html; charset=utf-8"
TYPE = {"Content-Type": "text/csv"}


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "body"),
    [
        (("hello", 200), 200, HTML, b"hello"),
        ((b"\xff", 201), 201, HTML, b"\xff"),
        ((["a", b"b"], 200), 200, HTML, b"ab"),
        (("x", "418 TEA"), 418, HTML, b"x"),
        (({"a": 1}, 200, {}, True), 200, "application/json", b'{"a": 1}'),
        (("x", 200, {}, True), 200, "application/json", b'"x"'),
        ((None, 200), 200, "application/json", b"{}"),
        (("x", 200, TYPE), 200, "text/csv", b"x"),
        (("x", 200, {"content-type": "text/csv"}), 200, "text/csv", b"x"),
        (("x", 200, {"Content-Type": 'a/b; c="d,e"'}), 200, 'a/b; c="d,e"', b"x"),
        (("x", 200, TYPE, True), 200, "text/csv", b'"x"'),
        ((None, 200, TYPE), 200, "text/csv", b"{}"),
    ],
)
def test_an_aml_response_has_one_content_type(
    arguments: tuple[Any, ...], status: int, kind: str, body: bytes
) -> None:
    response = aml_response(*arguments)

    assert (response.status_code, response.get_data()) == (status, body)
    assert response.headers.getlist("Content-Type") == [kind]
    assert response.headers["x-ms-run-function-failed"] == "False"


def test_values_with_commas_become_repeated_headers() -> None:
    headers = {"X-A": "1, 2", "Expires": "Sun, 22 Nov 2026 19:22:04 GMT"}
    response = aml_response("x", 200, headers, run_function_failed=True)

    assert response.headers.getlist("X-A") == ["1", "2"]
    assert response.headers.getlist("Expires") == ["Sun", "22 Nov 2026 19:22:04 GMT"]
    assert response.headers["x-ms-run-function-failed"] == "True"
