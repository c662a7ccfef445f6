"""/swagger.json: versions, own files, and the variables that are written into it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_QUERIES = {
    "default": "",
    "2": "?version=2",
    "2.0": "?version=2.0",
    "3": "?version=3",
    "3.0": "?version=3.0",
    "3.1": "?version=3.1",
    "3.0.3": "?version=3.0.3",
    "3.1.0": "?version=3.1.0",
    "9": "?version=9",
    "1": "?version=1",
    "empty": "?version=",
    "word": "?version=three",
    "spaced": "?version=%203",
    "twice": "?version=3&version=2",
    "other-case": "?Version=3",
    "other-key": "?v=3",
    "odd": "?version=%7B0%7D%25s%0A%C3%A9",
}
_OWN_FILES = {"default": "swagger.json", "3": "swagger3.json", "3.1": "swagger3.1.json"}
_MAIN = ("default", "2", "3", "3.1", "9")

_PLAIN = "def init(): pass\ndef run(data): return data\n"
_RAW = (
    "from azureml_inference_server_http.api.aml_request import rawhttp\n"
    "def init(): pass\n"
    "@rawhttp\ndef run(request): return 1\n"
)


def _asked(group: str, versions: tuple[str, ...] = _MAIN) -> tuple[Case, ...]:
    return tuple(
        Case(f"{group}-{name}", request("GET", f"/swagger.json{_QUERIES[name]}"), body="json")
        for name in versions
    )


def _exact(group: str, *versions: str) -> tuple[Case, ...]:
    """The bytes, not what they mean: own files are sent as they are."""
    return tuple(
        Case(f"{group}-{v}-exact", request("GET", f"/swagger.json{_QUERIES[v]}")) for v in versions
    )


def _own(name: str, files: Mapping[str, object], script: str = _PLAIN) -> Group:
    texts = {path: json.dumps({"own": spec}, indent=3) for path, spec in files.items()}
    versions = [v for v, path in _OWN_FILES.items() if path in files]
    cases = (*_asked(name), *_exact(name, *versions))
    return Group(name, World(script, files=texts), cases)


def _served(name: str, script: str = _PLAIN, **environ: str) -> Group:
    return Group(name, World(script, environ=environ), _asked(name, ("2", "3")))


GROUPS = (
    Group(
        "swagger-plain",
        World(_PLAIN),
        (
            *_asked("swagger-plain", tuple(_QUERIES)),
            Case(
                "swagger-with-ids",
                request("GET", "/swagger.json", headers={"x-request-id": "a"}),
                body="json",
            ),
            Case(
                "swagger-accept-html",
                request("GET", "/swagger.json", headers={"Accept": "text/html"}),
                body="json",
            ),
        ),
    ),
    Group("swagger-raw", World(_RAW), _asked("swagger-raw")),
    _own("swagger-own-default", {"swagger.json": "default"}),
    _own("swagger-own-2", {"swagger2.json": "two"}),
    _own("swagger-own-default-and-2", {"swagger.json": "default", "swagger2.json": "two"}),
    _own("swagger-own-3", {"swagger3.json": "three"}),
    _own("swagger-own-3.1", {"swagger3.1.json": "three and a bit"}),
    _own(
        "swagger-own-all",
        {"swagger.json": "default", "swagger3.json": "three", "swagger3.1.json": "more"},
    ),
    _own("swagger-own-for-raw", {"swagger.json": "default"}, _RAW),
    _own("swagger-own-unicode", {"swagger.json": "žluť 漢"}),
    _served("swagger-named", SERVICE_NAME="my service", SERVICE_VERSION="7"),
    _served("swagger-prefixed", SERVICE_PATH_PREFIX="/some/prefix"),
    _served("swagger-prefixed-bare", SERVICE_PATH_PREFIX="prefix"),
    _served("swagger-prefixed-slash", SERVICE_PATH_PREFIX="/prefix/"),
    _served("swagger-unicode-name", SERVICE_NAME="žluť 漢 {0} %s", SERVICE_VERSION="ž"),
    _served("swagger-workspace", WORKSPACE_NAME="w", HOSTNAME="h"),
    _served("swagger-empty-name", SERVICE_NAME="", SERVICE_VERSION="", SERVICE_PATH_PREFIX=""),
    _served(
        "swagger-decorated-named", "schema_simple.py", SERVICE_NAME="n", SERVICE_PATH_PREFIX="p"
    ),
)
