"""How the server logs: format, levels, print, and one line per request."""

from __future__ import annotations

import re

import pytest

from .told import ACCESS, LINES, STAMP, run

pytestmark = pytest.mark.azure(98)


def test_a_line_has_azures_format_on_stdout() -> None:
    told = run("logs.user_script.error('%d', 7)")

    assert re.match(STAMP + r"E \[\d+\] azmlinfsrv\.user_script - 7$", told.raw)
    assert told.err == []


def test_stamps_are_in_utc_wherever_the_machine_is() -> None:
    record = {"created": 0, "msecs": 7, "levelno": 20, "levelname": "INFO"}
    told = run(f"logs.server.handle(logging.makeLogRecord({record}))", TZ="Asia/Tokyo")

    assert told.raw.startswith("1970-01-01 00:00:00,007 I [")


def test_the_root_logger_stays_the_scripts() -> None:
    told = run("logging.info('lost'); logging.warning('kept')")

    assert (told.out, told.err) == ([], ["WARNING:root:kept"])


def test_the_level_is_that_of_the_server_and_prints_are_always_shown() -> None:
    code = "logs.hook_print(); logs.server.info('no'); logs.server.error('yes'); print('mine')"

    told = run(code, AZUREML_LOG_LEVEL="ERROR")

    assert told.out == ["E azmlinfsrv - yes", "I azmlinfsrv.print - mine"]


def test_print_becomes_lines_but_only_to_stdout_and_only_sep_is_honoured() -> None:
    told = run("""
        import contextlib, io
        logs.hook_print()
        print("a", 1, sep="-", end="!")
        print("100%", "of", flush=True)
        print()
        print("to a file", "and", "back", sep="", end="?", file=sys.stderr)
        print("as usual", file=None, sep=None)
        with contextlib.redirect_stdout(io.StringIO()) as caught:
            print("caught", end="")
        sys.stderr.write(caught.getvalue())
    """)

    heads = ["a-1", "100% of", "", "as usual"]
    assert told.out == [f"I azmlinfsrv.print - {text}" for text in heads]
    assert told.err == ["to a fileandback?caught"]


SLOW = "logs.server.addFilter(lambda record: True)\n"


@pytest.mark.parametrize(("before", "is_fast"), [("", "True"), (SLOW, "False")])
def test_access_lines_are_the_same_with_and_without_logging(before: str, is_fast: str) -> None:
    told = run(before + ACCESS + "sys.stdout.write(f'{log.is_fast}\\n')")

    assert told.out == [*LINES, is_fast]
    assert all(re.match(STAMP + r"I \[\d+\] ", line) for line in told.raw.splitlines()[:-1])


@pytest.mark.parametrize(
    "quiet",
    ["logs.server.setLevel(30)", "logging.disable(20)", "logs.configure('ERROR')"],
)
def test_above_info_there_are_no_access_lines(quiet: str) -> None:
    assert run(f"{quiet}\n{ACCESS}").out == []


@pytest.mark.parametrize(
    "change",
    [
        "logs.server.addHandler(logging.NullHandler())",
        "logs.server.propagate = True",
        "logs.server.handlers[0].setLevel(30)",
        "logs.server.handlers[0].addFilter(lambda record: False)",
        "logs.server.disabled = True",
    ],
)
def test_a_script_that_changes_the_servers_logging_has_its_way(change: str) -> None:
    assert run(f"{change}\nprint(logs.AccessLog(Sink()).is_fast)").raw == "False\n"


def test_lines_that_wait_are_written_before_any_other_record() -> None:
    told = run("""
        waiting = []
        class Waiting:
            write = waiting.append
        def flush():
            os.write(1, b"".join(waiting))
            waiting.clear()
        logs.before_emit(flush)
        logs.hook_print()
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        log = logs.AccessLog(Waiting())
        log.write("POST", "/1", 200, 0, "2"); print("between")
        log.write("POST", "/2", 200, 0, "2"); logging.warning("root")
        log.write("POST", "/3", 200, 0, "2"); logs.server.info("own")
    """)

    short = [line.replace("I azmlinfsrv - ", "").partition(" 200")[0] for line in told.out]
    assert short == ["POST /1", "I azmlinfsrv.print - between", "POST /2", "root", "POST /3", "own"]


def test_a_log_that_cannot_be_written_fails_no_script() -> None:
    assert run("""
        def flush(): raise BrokenPipeError
        logs.before_emit(flush)
        logging.warning("x")
    """).err == ["WARNING:root:x"]
