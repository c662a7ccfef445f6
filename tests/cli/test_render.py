"""stdout in every format, as scripts written for az expect it."""

from __future__ import annotations

import io
import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from verdazul.cli import render
from verdazul.cli.grammar import OUTPUTS
from verdazul.cli.render import Format
from verdazul.model.errors import Problem, UserError

ENDPOINT = {"name": "credit", "traffic": {"blue": 100}, "ok": True, "nothing": None}
ROWS = [{"name": "a", "n": 1}, {"name": "bb", "n": None}]

_texts = st.text(st.characters(codec="utf-8"))
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


def shown(result: object, how: Format, *, columns: tuple[render.Column, ...] = ()) -> str:
    """What `show` prints on a stdout that speaks UTF-8."""
    return printed(lambda: render.show(result, how, columns=columns))


def printed(action: object, *, encoding: str = "utf-8") -> str:
    assert callable(action)
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding, newline="\n")
    before, sys.stdout = sys.stdout, stream
    try:
        action()
        stream.flush()
    finally:
        sys.stdout = before
    return data.getvalue().decode(encoding)


@given(_values.filter(lambda value: value is not None))
def test_json_reads_back_as_what_was_shown(value: object) -> None:
    assert json.loads(shown(value, Format())) == value


@given(_values.filter(lambda value: value is not None))
def test_yaml_reads_back_as_what_was_shown(value: object) -> None:
    assert yaml.safe_load(shown(value, Format("yaml"))) == value


def test_json_is_plain_ascii_where_stdout_speaks_no_unicode() -> None:
    text = printed(lambda: render.show({"name": "Größe"}, Format()), encoding="ascii")

    assert json.loads(text) == {"name": "Größe"}


@pytest.mark.azure(114)
def test_jsonc_has_no_colours_without_a_terminal() -> None:
    assert json.loads(shown(ENDPOINT, Format("jsonc"))) == ENDPOINT


@pytest.mark.azure(114)
def test_none_prints_nothing() -> None:
    assert shown(ENDPOINT, Format("none")) == ""


def test_tsv_of_a_text_is_the_text() -> None:
    assert shown(ENDPOINT, Format("tsv", "name")) == "credit\n"


def test_tsv_of_a_list_has_a_line_for_each_entry() -> None:
    assert shown(ROWS, Format("tsv", "[].name")) == "a\nbb\n"


@pytest.mark.azure(114)
def test_tsv_of_rows_has_tabs_and_writes_none_as_az_does() -> None:
    assert shown(ROWS, Format("tsv", "[].[name, n]")) == "a\t1\nbb\tNone\n"


def test_tsv_of_a_missing_value_prints_nothing() -> None:
    assert shown(ENDPOINT, Format("tsv", "unknown")) == ""


@pytest.mark.azure(114)
def test_tsv_writes_booleans_as_az_does() -> None:
    assert shown(ENDPOINT, Format("tsv", "ok")) == "true\n"


@pytest.mark.azure(114)
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_query_that_finds_nothing_prints_nothing(output: str) -> None:
    assert shown(ENDPOINT, Format(output, "unknown")) == ""


@pytest.mark.azure(114)
def test_tsv_keeps_the_order_in_which_a_query_names_its_columns() -> None:
    assert shown(ENDPOINT, Format("tsv", "{b: ok, a: name}")) == "True\tcredit\n"


@pytest.mark.azure(114)
def test_a_table_leaves_out_ids_unless_a_query_asks_for_them() -> None:
    row = {"id": "/subscriptions/0", "type": "t", "etag": "1", "name": "credit"}

    assert shown([row], Format("table")) == "Name\n------\ncredit\n"
    assert (
        shown([row], Format("table", "[].{id: id}")) == "Id\n----------------\n/subscriptions/0\n"
    )


def test_a_table_has_the_columns_that_the_command_names() -> None:
    columns: tuple[render.Column, ...] = (("Name", lambda row: row["name"]),)

    assert shown(ROWS, Format("table"), columns=columns) == "Name\n----\na\nbb\n"


@pytest.mark.azure(114)
def test_a_table_of_a_query_has_the_columns_of_the_query() -> None:
    text = shown([ENDPOINT], Format("table", "[].{id: name, fine: ok}"))

    assert text == "Id      Fine\n------  ----\ncredit  true\n"


def test_a_table_of_nothing_is_empty() -> None:
    assert shown([], Format("table")) == ""


def test_a_table_of_plain_values_has_one_column() -> None:
    assert shown(["a", "b"], Format("table")) == "Result\n------\na\nb\n"


def test_a_cell_keeps_to_its_line() -> None:
    text = shown([{"message": "two\nlines\x1b[2J"}], Format("table"))

    assert text == "Message\n------------\ntwo lines[2J\n"


def test_a_bad_query_is_refused_before_anything_happens() -> None:
    with pytest.raises(UserError, match=r"\[\?"):
        Format("json", "[?")


def test_a_query_that_does_not_fit_the_result_says_so() -> None:
    with pytest.raises(UserError, match="sum"):
        shown(ENDPOINT, Format("json", "sum(name)"))


def test_a_problem_shows_cause_place_log_fix_and_where_to_read_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = Problem(
        "ResourceNotReady",
        "init() raised KeyError: 'weights'",
        "set the key",
        "score.py:7",
        ("Traceback", "KeyError"),
        (Problem("Detail", "one more thing"),),
    )

    render.say_problem(problem, more="verdazul online-deployment get-logs -e credit -n blue")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: ResourceNotReady: init() raised KeyError: 'weights'",
        "  where: score.py:7",
        "  - Detail: one more thing",
        "  last lines of its log:",
        "    | Traceback",
        "    | KeyError",
        "  fix: set the key",
        "  more: verdazul online-deployment get-logs -e credit -n blue",
    ]


def test_log_lines_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    render.say_problem(Problem("X", "m", log_tail=("\x1b[2Jgone\r",)))

    assert "    | [2Jgone\n" in capsys.readouterr().err
