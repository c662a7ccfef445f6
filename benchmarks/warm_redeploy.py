"""From `online-deployment create` to the first good answer, when the environment is cached.

Ours (command, upload, plan, start, probe, route, first answer over TLS) beside the bare server: the
same script in the same interpreter, started by hand, until it answers. The ratio is what all the
rest costs.

    python benchmarks/warm_redeploy.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
from harness import SCORE, Bench, bench, table

ENDPOINT = "redeploy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with bench() as it:
        it.verdazul("online-endpoint", "create", "-n", ENDPOINT)
        it.deploy(ENDPOINT, "blue")
        it.verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
        pairs = [(ours(it, number), bare(it)) for number in range(1, rounds + 1)]
    rows = []
    for name, times in zip(
        ("verdazul redeploy", "bare server"), zip(*pairs, strict=True), strict=True
    ):
        rows.append(
            {
                "": name,
                "min s": f"{min(times):.2f}",
                "median s": f"{statistics.median(times):.2f}",
                "max s": f"{max(times):.2f}",
            }
        )
    table(rows)
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"ratio, pair by pair, median: {ratio:.1f}")


def ours(it: Bench, number: int) -> float:
    """A new revision by the command line; ends when an answer comes from it."""
    target = it.target(ENDPOINT)
    trust = ssl.create_default_context(cafile=target.ca)
    began = time.perf_counter()
    it.deploy(ENDPOINT, "blue", round_=number)
    response = httpx.post(
        target.uri,
        json={"x": 1},
        headers={"Authorization": f"Bearer {target.key}"},
        verify=trust,
    )
    response.raise_for_status()
    return time.perf_counter() - began


def bare(it: Bench) -> float:
    """The same server with nothing around it."""
    python = next(it.home.glob("environments/*/venv/bin/python"))
    serve = next(p.parent for p in it.home.glob("environments/*/verdazul_serve"))
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        Path(folder, "score.py").write_text(SCORE)
        port = server.getsockname()[1]
        boot = (
            f"import sys; sys.path.append({str(serve)!r});"
            " from verdazul_serve.__main__ import main; main()"
        )
        began = time.perf_counter()
        with subprocess.Popen(
            [python, "-c", boot],
            cwd=folder,
            env={
                **os.environ,
                "AML_APP_ROOT": folder,
                "AZUREML_ENTRY_SCRIPT": "score.py",
                "ROUND": "0",
                "VERDAZUL_LISTEN_FD": str(server.fileno()),
            },
            pass_fds=(server.fileno(),),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                while httpx.get(f"http://127.0.0.1:{port}/").status_code != httpx.codes.OK:
                    time.sleep(0.01)
                httpx.post(f"http://127.0.0.1:{port}/score", json={"x": 1}).raise_for_status()
                return time.perf_counter() - began
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
