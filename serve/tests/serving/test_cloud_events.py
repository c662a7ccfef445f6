"""From a post's headers and body to one line of JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve.cloud_events import LARGEST_LINE_BYTES, BadPost, Event, Post, event, safe_name

from .posts import INPUTS, SENT

pytestmark = pytest.mark.azure(141)


def make(body: bytes = INPUTS, **headers: str) -> Event:
    base = {name.lower(): value for name, value in SENT.items()}
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    return event(Post({**base, **own}, body), source="s", now=1000.5, number="n")


@given(st.one_of(st.text(), st.from_regex(r"[./\\]*[a-z.]*[./\\]*", fullmatch=True)))
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = safe_name(name)

    assert re.fullmatch(r"(?!\.)[A-Za-z0-9_.-]{1,101}", safe)


def test_a_collection_named_like_a_path_is_none() -> None:
    assert make(ce_type="azureml.inference.../../../etc").collection == "__.._.._etc"


@given(
    st.text('[]{},:"1ae \n\r-\\', max_size=12)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value, indent=1))
)
def test_exactly_json_is_kept_and_stays_what_it_is(text: str) -> None:
    try:
        line = make(text.encode()).line
    except BadPost:
        with pytest.raises(ValueError):  # noqa: PT011  # JSONDecodeError is no clearer
            json.loads(text, parse_constant=int)
        return

    assert line.count(b"\n") == 1
    assert json.loads(line)["data"] == json.loads(text)


def test_deeper_json_than_python_reads_is_refused() -> None:
    with pytest.raises(BadPost):
        make(b"[" * 100_000)


def test_the_compact_format_is_kept_as_text() -> None:
    body = b"   a\n0  1"

    line = json.loads(make(body, content_type="application/octet-stream").line)

    assert (line["data"], line["datacontenttype"]) == (
        "   a\n0  1",
        "application/octet-stream",
    )


def test_bytes_that_are_no_text_are_kept_as_base64() -> None:
    line = json.loads(make(b"\xff\xfe", content_type="application/octet-stream").line)

    assert line["data_base64"] == "//4="
    assert "data" not in line


def test_a_large_body_lies_beside_its_line() -> None:
    body = b"[" + b" " * LARGEST_LINE_BYTES + b"]"

    made = make(body)

    line = json.loads(made.line)
    assert made.beside == ("n.json", body)
    assert (line["data"], line["datainblob"]) == ("n.json", "true")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("1.25", "1970-01-01T00:00:01.250000Z"),
        ("", "1970-01-01T00:16:40.500000Z"),
        ("yesterday", "1970-01-01T00:16:40.500000Z"),
        ("1e30", "1970-01-01T00:16:40.500000Z"),
        ("nan", "1970-01-01T00:16:40.500000Z"),
    ],
)
def test_a_time_that_is_none_becomes_ours(sent: str, told: str) -> None:
    assert json.loads(make(ce_time=sent).line)["time"] == told


def test_an_id_is_made_where_none_came() -> None:
    assert json.loads(make(trace_id="").line)["id"] == "n"
