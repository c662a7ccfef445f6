"""Fails in the way that the input names."""
# mypy: ignore-errors

import asyncio
import concurrent.futures
import os
import signal
import socket
import sys
import threading
import time

import flask
from werkzeug.exceptions import BadRequest


class Own(Exception):
    pass


class OwnTimeout(TimeoutError):
    pass


class OwnBase(BaseException):
    pass


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no words")


def throw(error):
    raise error


def chained():
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("outer") from error


def recurse():
    return recurse()


def loop():
    n = 0
    while True:
        n += 1


def swallow():
    try:
        time.sleep(30)
    except Exception as error:
        return [type(error).__name__, isinstance(error, TimeoutError)]


def swallow_base():
    try:
        time.sleep(30)
    except BaseException as error:
        return [type(error).__name__, isinstance(error, TimeoutError)]


def reraise():
    try:
        time.sleep(30)
    except Exception as error:
        raise ValueError("instead") from error


def clean_up():
    try:
        time.sleep(30)
    finally:
        steps.append("cleaned up")


def socket_timeout():
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0.01)
        left.recv(1)


def future_timeout():
    concurrent.futures.Future().result(timeout=0.01)


def exit_in_thread():
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    return "thread ended"


def closed_output():
    print("to stdout")
    print("to stderr", file=sys.stderr)
    print("many", 1, sep="-", end="", flush=True)
    return "printed"


steps = []

DEEDS = {
    "value-error": lambda: throw(ValueError("bad value")),
    "unicode-error": lambda: throw(ValueError("žluť \ud800")),
    "own-error": lambda: throw(Own()),
    "unprintable": lambda: throw(Unprintable()),
    "chained": chained,
    "group": lambda: throw(ExceptionGroup("many", [ValueError(1), TypeError(2)])),
    "assert": lambda: throw(AssertionError("claim")),
    "stop-iteration": lambda: throw(StopIteration(1)),
    "recursion": recurse,
    "memory": lambda: throw(MemoryError()),
    "import": lambda: __import__("not_there_at_all"),
    "os-error": lambda: open("/no/such/file"),
    "connection-error": lambda: throw(ConnectionResetError()),
    "broken-pipe": lambda: throw(BrokenPipeError()),
    "not-implemented": lambda: throw(NotImplementedError()),
    "cancelled": lambda: throw(asyncio.CancelledError()),
    "generator-exit": lambda: throw(GeneratorExit()),
    "own-base": lambda: throw(OwnBase("base")),
    "abort": lambda: flask.abort(403),
    "abort-response": lambda: flask.abort(flask.Response("mine", 409)),
    "bad-request": lambda: throw(BadRequest("said so")),
    "timeout-error": lambda: throw(TimeoutError("mine")),
    "own-timeout": lambda: throw(OwnTimeout()),
    "socket-timeout": socket_timeout,
    "future-timeout": future_timeout,
    "asyncio-timeout": lambda: asyncio.run(asyncio.wait_for(asyncio.sleep(9), 0.01)),
    "sys-exit": lambda: sys.exit(),
    "sys-exit-code": lambda: sys.exit(3),
    "sys-exit-text": lambda: sys.exit("words"),
    "system-exit": lambda: throw(SystemExit(0)),
    "keyboard-interrupt": lambda: throw(KeyboardInterrupt()),
    "exit-in-thread": exit_in_thread,
    "os-exit": lambda: os._exit(0),
    "os-exit-code": lambda: os._exit(9),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "prints": closed_output,
    "bad-key": lambda: {}["x"],
    "sleep": lambda: time.sleep(30),
    "loop": loop,
    "swallow": swallow,
    "swallow-base": swallow_base,
    "reraise": reraise,
    "clean-up": clean_up,
    "steps": lambda: steps,
    "in-time": lambda: time.sleep(0.01),
    "main-thread": lambda: threading.current_thread() is threading.main_thread(),
}


def init():
    pass


def run(data):
    return DEEDS[data]()
