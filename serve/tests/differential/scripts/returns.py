"""Returns what the input names."""
# mypy: ignore-errors

import collections
import datetime
import decimal
import enum

import numpy as np


class Colour(enum.IntEnum):
    RED = 1


class Words(str):
    pass


class Table(dict):
    pass


class Custom:
    pass


Point = collections.namedtuple("Point", "x y")


def generator():
    yield "a"
    yield "b"


async def coroutine():
    return "awaited"


def recursive():
    value = []
    value.append(value)
    return value


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


MAKERS = {
    "none": lambda: None,
    "empty-str": lambda: "",
    "str": lambda: "hello",
    "quoted-str": lambda: 'a "b" \\ / \n\t\x00',
    "json-str": lambda: '{"a": 1}',
    "unicode-str": lambda: "žluťoučký 漢字 \U0001f98a",
    "lone-surrogate": lambda: "\ud800",
    "str-subclass": lambda: Words("sub"),
    "dict": lambda: {"a": 1, "b": [1, 2.5, None, True], "c": {"d": "é"}},
    "dict-int-keys": lambda: {1: "a", None: "b", True: "c", 2.5: "d"},
    "dict-tuple-keys": lambda: {(1, 2): "a"},
    "dict-bytes-keys": lambda: {b"a": 1},
    "dict-subclass": lambda: Table(a=1),
    "ordered-dict": lambda: collections.OrderedDict([("z", 1), ("a", 2)]),
    "empty-dict": lambda: {},
    "empty-list": lambda: [],
    "list": lambda: [1, "two", None, [3]],
    "tuple": lambda: (1, "two"),
    "status-tuple": lambda: ("body", 201),
    "headers-tuple": lambda: ({"a": 1}, 201, {"X-A": "b"}),
    "named-tuple": lambda: Point(1, 2),
    "int": lambda: 42,
    "big-int": lambda: 10**40,
    "negative-zero": lambda: -0.0,
    "float": lambda: 0.1 + 0.2,
    "small-float": lambda: 5e-324,
    "large-float": lambda: 1e300,
    "nan": lambda: float("nan"),
    "inf": lambda: [float("inf"), -float("inf")],
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "int-enum": lambda: Colour.RED,
    "np-float64": lambda: np.float64(1.5),
    "np-float32": lambda: np.float32(1.5),
    "np-int64": lambda: np.int64(3),
    "np-bool": lambda: np.bool_(1),
    "np-str": lambda: np.str_("word"),
    "ndarray": lambda: np.arange(3),
    "ndarray-tolist": lambda: np.arange(6).reshape(2, 3).tolist(),
    "list-of-np-float64": lambda: [np.float64(1.5)],
    "list-of-np-int64": lambda: [np.int64(1)],
    "bytes": lambda: b"raw",
    "bytearray": lambda: bytearray(b"raw"),
    "set": lambda: {1},
    "frozenset": lambda: frozenset({1}),
    "range": lambda: range(3),
    "generator": generator,
    "coroutine": coroutine,
    "map": lambda: map(str, [1]),
    "dict-keys": lambda: {"a": 1}.keys(),
    "custom": lambda: Custom(),
    "class": lambda: Custom,
    "function": lambda: generator,
    "ellipsis": lambda: ...,
    "complex": lambda: 1 + 2j,
    "decimal": lambda: decimal.Decimal("1.5"),
    "datetime": lambda: datetime.datetime(2026, 1, 2),
    "exception": lambda: ValueError("returned, not raised"),
    "nested-bytes": lambda: {"a": [b"x"]},
    "recursive": recursive,
    "deep": deep,
    "large": lambda: ["x" * 1000] * 5000,
}


def init():
    pass


def run(data):
    return MAKERS[data]()
