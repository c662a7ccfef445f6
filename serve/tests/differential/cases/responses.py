"""What run() returns as a response object."""

from __future__ import annotations

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World, words

_RETURNED = words("""
str bytes none none-status json json-of-str json-none json-with-type json-not-serialisable
positional unicode type type-lower type-charset type-comma
headers headers-comma headers-date headers-empty headers-latin headers-int headers-newline
headers-length
failed failed-500 failed-503 failed-599
status-400 status-404 status-418 status-299 status-304 status-204 status-text redirect
list tuple-of-bytes int dict
stream stream-typed stream-binary stream-empty stream-breaking stream-500 stream-length
flask flask-json flask-500 flask-mimetype flask-repeated flask-later flask-no-type flask-cookie
flask-subclass aml-subclass
own-ids own-failed-header own-server-version own-exec-ms own-trace
wrapped-in-tuple large large-stream keyword
""")


def _asked_with(name: str, headers: dict[str, str], version: str = "1.1") -> bytes:
    return request(body=name.encode(), headers=headers, version=version)


GROUPS = (
    Group(
        "responses",
        World("responses.py"),
        (
            *(Case(f"response-{name}", request(body=name.encode())) for name in _RETURNED),
            Case("response-trace-beside-own", _asked_with("own-trace", {"TraceId": "given"})),
            Case("response-ids-beside-own", _asked_with("own-ids", {"x-ms-request-id": "given"})),
            Case("response-stream-to-http-1.0", _asked_with("stream", {}, version="1.0")),
            Case("response-bytes-to-http-1.0", _asked_with("bytes", {}, version="1.0")),
        ),
    ),
)
