"""A little HTTP server that keeps what scripts post to it, as the collecting agent would."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from serve.tests.differential.outcome import Post

HOST = "127.0.0.2"  # on 127.0.0.1 our server would answer with an agent of its own
_SECONDS = 20.0


class Sink:
    """`with Sink() as sink`: listens on `sink.port` until the end."""

    def __init__(self) -> None:
        self._posts: list[Post] = []
        self._came = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink._keep(Post(self.path, headers, body))  # before its sender goes on
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Sink:  # noqa: PYI034
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def take(self, count: int) -> tuple[Post, ...]:
        """The posts so far, once there are `count`; fewer when they do not come in time."""
        with self._came:
            self._came.wait_for(lambda: len(self._posts) >= count, timeout=_SECONDS)
            taken, self._posts = tuple(self._posts), []
        return taken

    def _keep(self, post: Post) -> None:
        with self._came:
            self._posts.append(post)
            self._came.notify()
