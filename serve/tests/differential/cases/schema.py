"""Scripts decorated with inference-schema."""

from __future__ import annotations

import base64
import json
from typing import Any

from serve.tests.differential.bodies import chunked, gzipped
from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_JSON = {"Content-Type": "application/json"}


def _body(name: str, body: bytes, headers: dict[str, str] | None = None) -> Case:
    sent = request(body=body, headers=_JSON if headers is None else headers)
    return Case(f"schema-{name}", sent)


def _typed(name: str, kind: str, body: bytes = b'{"num": 5}') -> Case:
    return _body(name, body, {"Content-Type": kind})


def _get(name: str, query: str, headers: dict[str, str] | None = None) -> Case:
    return Case(f"schema-get-{name}", request("GET", "/score" + query, headers=headers or {}))


_SIMPLE = (
    _body("number", b'{"num": 5}'),
    _body("both", b'{"num": 5, "name": "me"}'),
    _body("extra-key", b'{"num": 5, "other": [1]}'),
    _body("extra-key-is-headers", b'{"num": 5, "request_headers": {"X-One": "forged"}}'),
    _body("headers", b'{"num": 5}', {**_JSON, "X-One": "one"}),
    _body("repeated-key", b'{"num": 5, "num": 6}'),
    _body("null", b'{"num": null}'),
    _body("wrong-type", b'{"num": "5"}'),
    _body("bool-for-int", b'{"num": true}'),
    _body("float-for-int", b'{"num": 5.5}'),
    _body("missing", b'{"name": "me"}'),
    _body("empty-object", b"{}"),
    _body("empty", b""),
    _body("spaces", b"  "),
    _body("list", b"[5]"),
    _body("text", b'"num"'),
    _body("number-alone", b"5"),
    _body("null-alone", b"null"),
    _body("zero", b"0"),
    _body("false", b"false"),
    _body("empty-list", b"[]"),
    _body("bad-json", b'{"num": 5'),
    _body("bad-json-trailing", b'{"num": 5} x'),
    _body("bad-json-quotes", b"{'num': 5}"),
    _body("bad-json-lines", b'{\n "num": 5,\n}'),
    _body("nan", b'{"num": NaN}'),
    _body("bom", b'\xef\xbb\xbf{"num": 5}'),
    _body("not-utf-8", b'{"num": 5, "name": "\xff"}'),
    _body("not-utf-8-start", b"\xff{}"),
    _body("utf-16", '{"num": 5}'.encode("utf-16")),
    _body("unicode", '{"num": 5, "name": "žluť 漢"}'.encode()),
    _body("surrogate", b'{"num": 5, "name": "\\ud800"}'),
    _body("deep", b'{"num": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    _body("big-number", b'{"num": ' + b"9" * 5000 + b"}"),
    _body("chunked", chunked(b'{"num"', b": 5}"), {**_JSON, "Transfer-Encoding": "chunked"}),
    _body("gzip", gzipped(b'{"num": 5}'), {**_JSON, "Content-Encoding": "gzip"}),
    _body("special-keys", b'{"parameters": {}, "input_string": "a"}'),
    _body("num-special-keys", b'{"num": {"parameters": {}, "input_string": "a"}}'),
    _body("no-type", b'{"num": 5}', {}),
    _body("no-type-empty", b"", {}),
    _typed("text-type", "text/plain"),
    _typed("form-type", "application/x-www-form-urlencoded"),
    _typed("form-type-empty", "application/x-www-form-urlencoded", b""),
    _typed("charset", "application/json; charset=utf-8"),
    _typed("charset-latin-1", "application/json; charset=iso-8859-1"),
    _typed("suffix", "application/problem+json"),
    _typed("suffix-parameter", "application/vnd.a+json;v=1"),
    _typed("upper", "Application/JSON"),
    _typed("text-json", "text/json"),
    _typed("json-seq", "application/json-seq"),
    _typed("json-and-more", "application/json, text/plain"),
    _typed("empty-type", ""),
    _typed("spaced-type", "  application/json ;charset=utf-8"),
    _get("number", "?num=5"),
    _get("both", "?num=5&name=me"),
    _get("name-like-a-number", "?num=5&name=6"),
    _get("missing", "?name=me"),
    _get("repeated", "?num=5&num=6"),
    _get("none", ""),
    _get("extra", "?num=5&other=1"),
    _get("headers", "?num=5", {"X-One": "one"}),
    Case("schema-options", request("OPTIONS", "/score")),
    Case("schema-head", request("HEAD", "/score?num=5")),
    Case("schema-put", request("PUT", "/score", b'{"num": 5}', headers=_JSON)),
    Case("schema-with-ids", request(body=b"{", headers={**_JSON, "x-ms-request-id": "mine"})),
)

_RECORDS = [{"a": 1, "b": 0.5, "s": "x"}, {"a": 2, "b": 1.5, "s": "y"}]
_SPLIT = {"columns": ["a", "b", "s"], "index": ["p", "q"], "data": [[1, 0.5, "x"], [2, 1.5, "y"]]}
_COLUMNS = {"a": {"p": 1, "q": 2}, "b": {"p": 0.5, "q": 1.5}, "s": {"p": "x", "q": "y"}}
_INDEX = {"p": _RECORDS[0], "q": _RECORDS[1]}
_VALUES = [[1, 0.5, "x"], [2, 1.5, "y"]]
_TABLE = {
    "schema": {
        "fields": [
            {"name": "index", "type": "string"},
            {"name": "a", "type": "integer"},
            {"name": "b", "type": "number"},
            {"name": "s", "type": "string"},
        ],
        "primaryKey": ["index"],
        "pandas_version": "1.4.0",
    },
    "data": [{"index": "p", "a": 1, "b": 0.5, "s": "x"}],
}

# parameter -> values that are sent for it
_VALUES_OF: dict[str, list[Any]] = {
    "an_int": [7, 7.0, "7", True, None],
    "a_float": [1.25, 3, "1.25"],
    "a_str": ["word", "", 5],
    "a_bool": [False, 1],
    "some_bytes": [base64.b64encode(b"\x00raw").decode(), "not base64!", 5],
    "a_bytearray": [base64.b64encode(b"raw").decode()],
    "a_datetime": ["2026-01-02T03:04:05", "2 Jan 2026", "never", 5],
    "a_date": ["2026-01-02"],
    "a_time": ["03:04:05", "3pm"],
    "a_list": [[1, "two", None], [], {"a": 1}],
    "a_tuple": [[1, "a"]],
    "a_range": [[0, 1, 2]],
    "a_dict": [{"k": 2, "m": 3}, [1]],
    "nested_dict": [{"array": [3, 4], "plain": 2}, {"plain": 2}, {"array": "no"}],
    "nested_list": [[[2.5], "b"], [[2.5]], []],
    "array": [[[5, 6]], [[5, 6, 7]], [[5.5, 6]], [["a", "b"]], [], 5, [[1, 2], [3]]],
    "float_array": [[1, 2, 3.5], [None, 1.5], [[1.5]]],
    "free_array": [[[1], [2]], [["a", 1]]],
    "str_array": [["longer", "b"], [1, 2]],
    "bool_array": [[True, False, True], [1, 0]],
    "date_array": [["2026-03-04", "2027-01-01"], ["never"]],
    "records_array": [[[1, 2.5, "a"]], [{"i": 1}], [{"i": 1, "f": 2.5, "s": "a"}]],
    "frame": [_RECORDS, [], [{"a": 1}], [{"a": "1", "b": 2, "s": "x"}], _VALUES, 5, None],
    "free_frame": [_RECORDS, [{"other": 1}], [[1, 2]]],
    "named_frame": [_RECORDS, _VALUES],
    "dates_frame": [[{"when": "2026-05-06T00:00:00Z", "flag": False}], [{"when": 0, "flag": 1}]],
    "split_frame": [_SPLIT, _RECORDS],
    "index_frame": [_INDEX, _RECORDS],
    "columns_frame": [_COLUMNS, _RECORDS],
    "values_frame": [_VALUES, _RECORDS],
    "table_frame": [_TABLE],
}


def _values() -> tuple[Case, ...]:
    """A case for each value, and one for everything that fits at once."""
    cases = [
        _body(f"type-{name}-{number}", json.dumps({name: value}).encode())
        for name, values in _VALUES_OF.items()
        for number, value in enumerate(values)
    ]
    several = {name: _VALUES_OF[name][0] for name in ("an_int", "a_str", "array", "frame")}
    cases.append(_body("type-several", json.dumps(several).encode()))
    cases.append(_body("type-none", b"{}"))
    cases.append(_get("type-array", "?array=[[1,2]]&an_int=3"))
    return tuple(cases)


def _swaggers(name: str) -> tuple[Case, ...]:
    return tuple(
        Case(f"swagger-of-{name}-{v}", request("GET", f"/swagger.json?version={v}"), body="json")
        for v in ("2", "3", "3.1")
    )


_OUTPUT_ONLY = """
from inference_schema.schema_decorators import output_schema
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

def init():
    pass

@output_schema(StandardPythonParameterType({"a": 1.5}))
def run(data):
    return [type(data).__name__, data]
"""

_NOT_CONVERTED = """
import numpy as np
from inference_schema.schema_decorators import input_schema
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType

def init():
    pass

@input_schema("array", NumpyParameterType(np.array([1])), convert_to_provided_type=False)
def run(request_headers, array):
    return [type(array).__name__, array, "Host" in request_headers]
"""

_MIXED = """
from inference_schema.schema_decorators import input_schema
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

def init():
    pass

@input_schema("data", StandardPythonParameterType([1, "a", {"b": 2.5}]))
def run(data):
    return data
"""

_ARRAY = _body("array", b'{"array": [1, 2]}')

GROUPS = (
    Group("schema-simple", World("schema_simple.py"), (*_SIMPLE, *_swaggers("simple"))),
    Group("schema-types", World("schema_types.py"), (*_values(), *_swaggers("types"))),
    Group(
        "schema-output-only",
        World(_OUTPUT_ONLY),
        (_body("output-only", b'{"data": {"x": 1}}'), *_swaggers("output-only")),
    ),
    Group("schema-not-converted", World(_NOT_CONVERTED), (_ARRAY, *_swaggers("not-converted"))),
    Group(
        "schema-mixed",
        World(_MIXED),
        (_body("mixed", b'{"data": [1, 2]}'), *_swaggers("mixed")),
    ),
)
