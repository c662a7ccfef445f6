"""Flask around run(): the request object that @rawhttp gets, and the context a script runs in.

There is no Flask server. Its application exists to give contexts, within which Flask's globals work
(flask.request, jsonify, current_app), and its one route to tell a request what it is. The context
travels among run()'s arguments, under a name that no parameter can have.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import flask

from verdazul_serve.compat.environ import environ_of
from verdazul_serve.reading import Request

CONTEXT = "flask context"
Run = Callable[..., Any]
Arguments = Callable[[Request], dict[str, Any]]


class _Request(flask.Request):
    """Azure's server passes a proxy: scripts that hand it to a thread ask for the object behind."""

    def _get_current_object(self) -> flask.Request:
        return self


_app = flask.Flask("verdazul_serve", static_folder=None)
_app.request_class = _Request
_app.add_url_rule("/score", endpoint="main.handle_score", methods=["GET", "POST", "OPTIONS"])


def context_of(request: Request) -> Any:
    """Flask's, of whichever release; not entered yet. Its `request` is what @rawhttp asks for."""
    return _app.request_context(environ_of(request))


def accompanied(arguments: Arguments) -> Arguments:
    """The same arguments and a context."""
    return lambda request: {**arguments(request), CONTEXT: context_of(request)}


def entered(run: Run) -> Run:
    """`run`, called within the context among its arguments.

    A generator has left it when it starts; flask.stream_with_context is for that, as ever.
    """
    if inspect.iscoroutinefunction(run):

        @functools.wraps(run)
        async def call(**arguments: Any) -> Any:
            with arguments.pop(CONTEXT):
                return _processed(await run(**arguments))

    else:

        @functools.wraps(run)
        def call(**arguments: Any) -> Any:
            with arguments.pop(CONTEXT):
                return _processed(run(**arguments))

    return call


def are_wanted_by(run: Run) -> bool:
    """Whether the module of a run() without @rawhttp has Flask, or something of it, imported."""
    names = getattr(inspect.unwrap(run), "__globals__", {})
    return any(_is_flask(value) for value in names.values())


def _is_flask(value: object) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__ == "flask"
    if type(value) in {FunctionType, type}:
        return str(getattr(value, "__module__", "")).startswith("flask.")
    return type(value).__module__ == "werkzeug.local"  # flask.request, current_app, g


def _processed(result: Any) -> Any:
    """Apply what run() asked for with flask.after_this_request."""
    return _app.process_response(result) if isinstance(result, flask.Response) else result
