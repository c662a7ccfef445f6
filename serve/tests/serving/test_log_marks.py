"""Whose request a log line belongs to: the server's, the script's, of threads and of tasks."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import context

from .told import run

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


REQUEST = f"""
logs.hook_print()
context.enter(("id-1", ""))
{{}}
context.enter(("id-2", "{TRACE}"))
{{}}
context.leave()
{{}}
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("print('x')", "I azmlinfsrv.print{} - x"),
        ("logs.server.warning('x')", "W azmlinfsrv{} - x"),
    ],
)
def test_the_servers_own_lines_name_the_running_request(line: str, expected: str) -> None:
    told = run(REQUEST.format(line, line, line))

    assert told.out == [expected.format(ids) for ids in (" [id-1]", f" [id-2 {TRACE}]", "")]


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("", "WARNING:root:{}x"),
        ("logging.basicConfig(format='%(levelname)s %(message)s!')", "WARNING {}x!"),
        ("logging.basicConfig(style='{{', format='{{message}}/{{name}}')", "{}x/root"),
        ("logging.basicConfig(style='$', format='$message $name')", "{}x root"),
        ("logging.root.addHandler(logging.StreamHandler())", "{}x"),
    ],
)
def test_the_scripts_own_logging_names_the_running_request(setup: str, expected: str) -> None:
    line = "logging.warning('x')"

    told = run(setup.replace("{{", "{").replace("}}", "}") + REQUEST.format(line, line, line))

    assert told.err == [expected.format(ids) for ids in ("[id-1] ", f"[id-2 {TRACE}] ", "")]


def test_a_format_that_names_the_request_is_left_as_it_is() -> None:
    told = run("""
        logging.basicConfig(format="<%(request_id)s|%(trace_id)s> %(message)s")
        context.enter(("id-1", "t"))
        logging.warning("x")
        context.leave()
        logging.warning("y")
        logging.root.handlers[0].handle(logging.makeLogRecord({"msg": "from elsewhere"}))
    """)

    assert told.err == ["<id-1|t> x", "<|> y", "<|> from elsewhere"]


def test_a_formatter_of_its_own_finds_the_ids_on_the_record() -> None:
    told = run("""
        import json
        class Json(logging.Formatter):
            def format(self, record):
                return json.dumps([record.getMessage(), record.request_id, record.trace_id])
        handler = logging.StreamHandler()
        handler.setFormatter(Json())
        logging.root.addHandler(handler)
        context.enter(("id-1", "t"))
        logging.warning("x")
    """)

    assert [json.loads(line) for line in told.err] == [["x", "id-1", "t"]]


def test_an_id_that_the_script_gives_itself_is_kept_and_ours_still_shown() -> None:
    told = run("""
        logging.basicConfig(format="<%(request_id)s> %(message)s")
        context.enter(("ours", ""))
        logging.warning("x", extra={"request_id": "its own"})
        logging.warning("y", extra={"request_id": "ours", "trace_id": 7})
        context.leave()
        logging.warning("z", extra={"request_id": "its own"})
    """)

    assert told.err == ["<its own> [ours] x", "<ours> y", "<its own> z"]


def test_a_record_factory_and_a_queue_of_the_script_work_along_and_mark_once() -> None:
    told = run("""
        import logging.handlers, queue
        class Record(logging.LogRecord):
            def getMessage(self): return super().getMessage().replace("x", "X")
        logging.setLogRecordFactory(Record)
        through = queue.SimpleQueue()
        logging.root.addHandler(logging.handlers.QueueHandler(through))
        target = logging.StreamHandler()
        target.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        listener = logging.handlers.QueueListener(through, target)
        context.enter(("id-1", ""))
        logging.warning("%s", "x")
        context.leave()
        listener.start(); listener.stop()
    """)

    assert told.err == ["root: [id-1] X"]


def test_a_thread_of_the_script_logs_for_the_request_that_runs() -> None:
    told = run("""
        import threading
        context.enter(("id-1", ""))
        thread = threading.Thread(target=lambda: logging.warning("x"))
        thread.start(); thread.join()
    """)

    assert told.err == ["WARNING:root:[id-1] x"]


def test_tasks_each_keep_their_own_request() -> None:
    told = run("""
        import asyncio
        context.use_tasks()
        async def serve(name, mine, others):
            context.enter((name, ""))
            mine.set()
            await others.wait()
            logging.warning(name)
            context.leave()
            logging.warning("done")
        async def main():
            a, b = asyncio.Event(), asyncio.Event()
            await asyncio.gather(serve("a", a, b), serve("b", b, a))
        asyncio.run(main())
    """)

    texts = sorted(told.err)
    assert texts == ["WARNING:root:[a] a", "WARNING:root:[b] b", *["WARNING:root:done"] * 2]


def test_an_id_cannot_forge_a_line() -> None:
    told = run(r"context.enter(('a\r\n2026 I forged\x1b[2J', '')); logs.server.info('x')")

    assert told.out == [r"I azmlinfsrv [a\r\n2026 I forged\x1b[2J] - x"]


def sized(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


@given(sized(2), sized(32), sized(16), sized(2), st.sampled_from(["", "-", "-more", "x"]))
def test_a_traceparent_gives_its_trace_id_when_and_only_when_it_is_valid(
    version: str, trace: str, parent: str, flags: str, rest: str
) -> None:
    is_valid = version != "ff" and int(trace, 16) and int(parent, 16)
    is_valid = is_valid and (not rest or (version != "00" and rest.startswith("-")))

    found = context.trace_id(f"{version}-{trace}-{parent}-{flags}{rest}")

    assert found == (trace if is_valid else "")


@given(st.text())
def test_other_texts_are_no_traceparent(text: str) -> None:
    assert context.trace_id(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01 ",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_invalid_traceparents_are_ignored(text: str) -> None:
    assert context.trace_id(text) == ""


def test_what_runs_is_known_until_it_leaves() -> None:
    context.enter(("id-1", TRACE))
    inside = asyncio.run(_current())
    context.leave()

    assert (inside, context.current()) == (("id-1", TRACE), context.NOTHING)


async def _current() -> context.Ids:  # a task, though it awaits nothing
    return context.current()
