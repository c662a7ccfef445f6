"""The load tool of the serving benchmarks: wrk, told by a Lua file what to send and what to print.

Closed loop; connections are kept where the server keeps them, else made anew (wrk does not count
the connecting in its latencies: a gift to servers without keep-alive). Percentiles are wrk's own,
with its correction for waiting callers, alike for all.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.peer import UnavailableError
from serving.process import Server, cpu_seconds

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {{"requests": %d, "duration": %d, "p50": %d, "p95": %d, "p99": %d,' ..
    ' "errors": {{"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}}}\\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
"""
MISSING = "the load tool wrk is missing: apt-get install wrk (Debian, Ubuntu) or brew install wrk"


@dataclass(frozen=True)
class Load:
    """What the callers saw, and what it cost the server."""

    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us: float
    """User and system time of the server's process tree, for each request."""
    errors: int
    """Bad answers, broken connections, timeouts; all callers if none was answered."""


def require_wrk() -> None:
    """End the benchmark with the way to get wrk, if it is not there."""
    if not shutil.which("wrk"):
        raise SystemExit(MISSING)


def load(server: Server, body: bytes, *, callers: int, seconds: int) -> Load:
    """Callers that each send the next request when the last one was answered."""
    return measured(server.uri, body, callers=callers, seconds=seconds, cpu=cpu_seconds)


def measured(
    uri: str,
    body: bytes,
    *,
    callers: int,
    seconds: int,
    cpu: Callable[[], float],
    headers: Mapping[str, str] | None = None,
) -> Load:
    """The same for any address; `cpu` tells the seconds spent so far by what is measured."""
    before = cpu()
    seen = json.loads(_wrk(uri, body, callers, seconds, headers or {}).rpartition("RESULT ")[2])
    spent = cpu() - before
    count = seen["requests"]
    return Load(
        requests_per_second=count / (seen["duration"] / 1e6),
        p50_ms=seen["p50"] / 1000,
        p95_ms=seen["p95"] / 1000,
        p99_ms=seen["p99"] / 1000,
        cpu_us=spent / max(count, 1) * 1e6,
        errors=sum(seen["errors"].values()) + (0 if count else callers),
    )


def _wrk(uri: str, body: bytes, callers: int, seconds: int, headers: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        data, script = Path(folder, "body"), Path(folder, "load.lua")
        data.write_bytes(body)
        more = "".join(
            f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}\n" for k, v in headers.items()
        )
        script.write_text(more + SCRIPT.format(body=data))
        argv = ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout=10s"]
        argv += ["-s", str(script), uri]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(f"went away under load: {done.stderr.strip()}")
    return done.stdout


def ask(port: int, path: str, body: bytes) -> object:
    """One request; the answer's JSON. ValueError when it is not a good one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"status {answer.status}: {text[:200]!r}")
        return json.loads(text)
    except http.client.HTTPException as error:
        raise ValueError(repr(error)) from None
    finally:
        connection.close()
