"""The only module that prints: data on stdout in the format asked for, talk on stderr.

Formats follow az, so that scripts which read az's output can read ours. Colours appear only when a
person is looking (a terminal), and then only for jsonc and yamlc.
"""

from __future__ import annotations

import json
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from verdazul.cli.grammar import Misread
from verdazul.model.errors import Problem, UserError

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], object]]
_UNTABLED = ("id", "type", "etag")  # az leaves them out of tables; a query that asks gets them
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Format:
    """How results are printed. `output` is "" when the person did not choose (then: json)."""

    output: str = ""
    query: str = ""

    def __post_init__(self) -> None:
        """Refuse a bad --query before anything is changed on the server."""
        if self.query:
            _compiled(self.query)


def show(result: object, how: Format, *, columns: Sequence[Column] = ()) -> None:
    """Print a result. `columns` are what -o table shows of it when there is no --query.

    Nothing is printed of nothing: a query that finds nothing leaves stdout empty, as with az.
    """
    if how.query:
        result, columns = _searched(how.query, result), ()
    if result is None:
        return
    _write_data(_formatted(result, how.output or "json", columns))


def show_text(text: str, how: Format) -> None:
    """Print a long text: as it is for a person at a terminal who chose no format, else `show`."""
    if not how.output and not how.query and sys.stdout.isatty():
        _write_data(text)
        return
    show(text, how)


def is_watched() -> bool:
    """Tell whether data goes to a terminal, where a secret stays in sight."""
    return sys.stdout.isatty()


def say(line: str) -> None:
    """Tell the person something, on stderr."""
    print(_printable(line, sys.stderr), file=sys.stderr, flush=True)


def say_problem(problem: Problem, *, more: str = "") -> None:
    """Tell what failed: cause, where, the last log lines, what to change, where to read more."""
    say(f"error: {problem.code}: {clean(problem.message)}")
    if problem.where:
        say(f"  where: {clean(problem.where)}")
    for detail in problem.details:
        if detail.message not in problem.message:
            say(f"  - {detail.code}: {clean(str(detail))}")
    if problem.log_tail:
        say("  last lines of its log:")
    for line in problem.log_tail:
        say(f"    | {clean(line)}")
    if problem.fix:
        say(f"  fix: {clean(problem.fix)}")
    if more:
        say(f"  more: {more}")


def confirm(question: str) -> bool:
    """Ask on stderr. Raises UserError when nobody is there to answer."""
    if not sys.stdin.isatty():
        raise UserError(
            f"{question} Nobody can be asked here (stdin is not a terminal)",
            code="ConfirmationNeeded",
            fix="pass --yes to say so beforehand",
        )
    print(f"{question} (y/N): ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def clean(text: str) -> str:
    """Drop terminal codes: a log line inside a message must not move the cursor."""
    return _CONTROL.sub("", text)


def _compiled(query: str) -> Any:
    import jmespath

    try:
        return jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        raise Misread.of(_bad_query(query, error).problem) from None


def _searched(query: str, result: object) -> object:
    import jmespath

    try:
        return _compiled(query).search(result, jmespath.Options(dict_cls=OrderedDict))
    except jmespath.exceptions.JMESPathError as error:
        raise _bad_query(query, error) from None


def _bad_query(query: str, error: Exception) -> UserError:
    why = " ".join(str(error).split())
    return UserError(
        f"--query {query!r} is not a JMESPath expression that fits: {why}",
        code="InvalidQuery",
        fix='quote it for the shell, as in --query "[].name" (see jmespath.org)',
    )


def _formatted(result: object, output: str, columns: Sequence[Column]) -> str:
    match output:
        case "none":
            return ""
        case "tsv":
            return _tsv(result)
        case "table":
            return _table(result, columns)
        case "yaml" | "yamlc":
            return _coloured(_yaml(result), "yaml", asked=output == "yamlc")
        case _:
            return _coloured(_json(result), "json", asked=output == "jsonc")


def _json(result: object) -> str:
    return json.dumps(result, indent=2, ensure_ascii=not _speaks_unicode(sys.stdout), default=str)


def _yaml(result: object) -> str:
    import yaml

    plain = json.loads(json.dumps(result, default=str))
    # PyYAML writes these three line ends unquoted, and then does not read them back
    unicode = _speaks_unicode(sys.stdout) and not re.search(
        "[\x85\u2028\u2029]", json.dumps(plain, ensure_ascii=False)
    )
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=unicode)
    return text.removesuffix("\n...\n").rstrip("\n")


def _coloured(text: str, language: str, *, asked: bool) -> str:
    if not asked or not sys.stdout.isatty():
        return text
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console(force_terminal=True)
    with console.capture() as captured:
        console.print(Syntax(text, language).highlight(text), soft_wrap=True)
    return captured.get().rstrip("\n")


def _tsv(result: object) -> str:
    rows = result if isinstance(result, list) else [result]
    return "\n".join(_tsv_row(row) for row in rows)


def _tsv_row(row: object) -> str:
    """A query's own mapping keeps the query's order, any other is sorted."""
    if isinstance(row, OrderedDict):
        return "\t".join(_tsv_cell(value) for value in row.values())
    if isinstance(row, Mapping):
        return "\t".join(_tsv_cell(row[key]) for key in sorted(row))
    if isinstance(row, list):
        return "\t".join(_tsv_cell(value) for value in row)
    return str(row).lower() if isinstance(row, bool) else str(row)


def _tsv_cell(value: object) -> str:
    """In a row az writes Python's words: None, True."""
    if isinstance(value, list):
        return str(len(value))
    return "" if isinstance(value, Mapping) else str(value)


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(result: object, columns: Sequence[Column]) -> str:
    rows = result if isinstance(result, list) else [result]
    if not rows:
        return ""
    named = [_named_cells(row, columns) for row in rows]
    titles = list(dict.fromkeys(title for cells in named for title in cells))
    lines = [titles, *([cells.get(title, "") for title in titles] for cells in named)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_padded(line, widths) for line in lines)


def _named_cells(row: object, columns: Sequence[Column]) -> dict[str, str]:
    if columns and isinstance(row, Mapping):
        return {title: _cell(value(row)) for title, value in columns}
    if isinstance(row, Mapping):
        left_out = () if isinstance(row, OrderedDict) else _UNTABLED
        plain = {
            key: value
            for key, value in row.items()
            if key not in left_out and not isinstance(value, list | Mapping | None)
        }
        return {str(key)[:1].upper() + str(key)[1:]: _cell(value) for key, value in plain.items()}
    if isinstance(row, list):
        return {f"Column{n}": _cell(value) for n, value in enumerate(row, start=1)}
    return {"Result": _cell(row)}


def _cell(value: object) -> str:
    return clean(_scalar(value)).replace("\n", " ").replace("\t", " ")


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _write_data(text: str) -> None:
    if text:
        print(_printable(text.removesuffix("\n"), sys.stdout), flush=True)


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")


def _printable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)
