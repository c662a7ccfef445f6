"""What run() returns without a response object."""

from __future__ import annotations

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World, words

_RETURNED = words("""
none empty-str str quoted-str json-str unicode-str lone-surrogate str-subclass
dict dict-int-keys dict-tuple-keys dict-bytes-keys dict-subclass ordered-dict empty-dict
empty-list list tuple status-tuple headers-tuple named-tuple
int big-int negative-zero float small-float large-float nan inf true false zero int-enum
np-float64 np-float32 np-int64 np-bool np-str ndarray ndarray-tolist
list-of-np-float64 list-of-np-int64
bytes bytearray set frozenset range generator coroutine map dict-keys
custom class function ellipsis complex decimal datetime exception nested-bytes
recursive deep large
""")

GROUPS = (
    Group(
        "returns",
        World("returns.py"),
        tuple(Case(f"returns-{name}", request(body=name.encode())) for name in _RETURNED),
    ),
)
