"""The running request's ids on every log record, and in every line that a formatter makes of one.

Records get the attributes `request_id` and `trace_id`. A script may give its own by `extra=`, which
must not meet an attribute: that is why it is done after a record is made, not by a record factory.
Its id is kept then, and ours stands beside it as `server_request_id`.
A format that does not name %(request_id)s shows them before the message, so that lines keep the
shape their readers expect: `WARNING:root:[3f2a] slow`, `{"text": "[3f2a] slow"}`. Azure's own
format shows them behind the logger's name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from verdazul_serve import context
from verdazul_serve.log_config import AMLLogFormatter

_make_record = logging.Logger.makeRecord
_format_message = logging.Formatter.formatMessage


def _nothing() -> None:
    """What there is to do before a record, until somebody says otherwise."""


_before: Callable[[], None] = _nothing


def install() -> None:
    """Mark the records and lines of this process and of those forked from it."""
    logging.Logger.makeRecord = _made  # type: ignore[method-assign, assignment]  # takes all
    logging.Formatter.formatMessage = _formatted  # type: ignore[method-assign, assignment]


def before_emit(action: Callable[[], None]) -> None:
    """Have `action` called before each log record, in whatever thread makes it."""
    global _before  # noqa: PLW0603  # one log, one way to bring it up to date
    _before = action


def mark(request_id: str, trace_id: str) -> str:
    """` [id]`, ` [id trace]` or nothing; a caller's odd characters are escaped."""
    text = f"{request_id} {trace_id}" if trace_id and request_id else request_id or trace_id
    if not text:
        return ""
    return f" [{text if text.isprintable() else escaped(text)}]"


def escaped(text: str) -> str:
    """Every character that is not plain, in the way Python writes it."""
    return text.encode("unicode_escape").decode("ascii")


def _made(logger: logging.Logger, *arguments: Any, **options: Any) -> logging.LogRecord:
    with suppress(OSError):  # a log that cannot be written is no reason for a script to fail
        _before()
    record = _make_record(logger, *arguments, **options)
    request_id, trace_id = context.current()
    values = record.__dict__
    values.setdefault("trace_id", trace_id)
    if str(values.setdefault("request_id", request_id)) != request_id and request_id:
        values["server_request_id"] = request_id
    return record


def _formatted(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    values = record.__dict__
    pattern = getattr(formatter, "_fmt", None) or ""
    given, trace_id = values.setdefault("request_id", ""), values.setdefault("trace_id", "")
    ours = values.get("server_request_id")
    text = mark(ours or str(given), str(trace_id))
    is_shown = ("request_id" in pattern and not ours) or text[1:] in values.get("message", "")
    if not text or is_shown:
        return _format_message(formatter, record)
    if isinstance(formatter, AMLLogFormatter) and "(name)" in pattern:
        return _with(formatter, record, name=record.name + text)
    return _with(formatter, record, message=f"{text[1:]} {record.message}")


def _with(formatter: logging.Formatter, record: logging.LogRecord, **changes: str) -> str:
    before = {key: record.__dict__.get(key) for key in changes}
    record.__dict__.update(changes)
    try:
        return _format_message(formatter, record)
    finally:
        record.__dict__.update(before)
