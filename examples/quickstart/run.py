"""A real blue/green endpoint by one command: `make quickstart`.

Trains two models, deploys both behind one address, sends every row of the data set through it,
moves all traffic from one to the other while requests run, and counts what failed. Each step prints
the command it runs, so that it can be repeated by hand. `--keep` leaves everything running.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import shutil
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / ".quickstart"
HOME = WORK / "home"
VERDAZUL = Path(sys.executable).with_name("verdazul")
ENDPOINT = "tumour"
CALLERS = 4


@dataclass(frozen=True)
class Answer:
    """One request's outcome. `deployment` is who answered, as the response says."""

    deployment: str
    status: int
    ms: float
    is_right: bool


@dataclass(frozen=True)
class Caller:
    """Sends rows to one address."""

    client: httpx.Client
    uri: str

    def ask(self, row: list[float], truth: int) -> Answer:
        began = time.perf_counter()
        try:
            response = self.client.post(self.uri, json={"data": [row]})
        except httpx.HTTPError as error:
            say(f"  no answer: {error}")
            return Answer("(no answer)", 0, (time.perf_counter() - began) * 1000, is_right=False)
        ms = (time.perf_counter() - began) * 1000
        who = response.headers.get("azureml-model-deployment", "(gateway)")
        if response.status_code != 200:
            say(f"  {response.status_code} from {who}: {response.text[:200]}")
            return Answer(who, response.status_code, ms, is_right=False)
        return Answer(who, 200, ms, is_right=response.json()["malignant"] == [truth])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards")
    keep = parser.parse_args().keep
    began = time.monotonic()
    prepare()
    with running(keep=keep):
        failed = story()
        if keep:
            say_what_is_next()
    say(f"done in {time.monotonic() - began:.0f} s; {failed} requests failed")
    return 1 if failed else 0


def story() -> int:
    """Returns how many requests failed."""
    step("create the endpoint: a stable HTTPS address with a key")
    verdazul("online-endpoint", "create", "-f", "endpoint.yml", "-o", "none")
    step("deploy blue and green: model, code, environment; two instances each")
    verdazul("online-deployment", "create", "-f", "blue.yml", "-o", "none")
    verdazul("online-deployment", "create", "-f", "green.yml", "-o", "none")
    step("split traffic 90/10 and send every row of the data set")
    split("blue=90 green=10")
    rows = json.loads((WORK / "rows.json").read_text())
    with caller() as client:
        answers = send(client, rows)
        show_table(answers)
        step("move all traffic to green while requests run")
        moved = send_while(client, rows, lambda: split("green=100"))
        show_table(moved)
    failed = sum(answer.status != 200 for answer in [*answers, *moved])
    say(f"{len(moved)} requests during the switch, {failed} failed")
    return failed


def prepare() -> None:
    """Copy the example to where models may be written, and train them."""
    WORK.mkdir(exist_ok=True)
    for name in ("endpoint.yml", "blue.yml", "green.yml", "train.py"):
        shutil.copy(HERE / name, WORK / name)
    for name in ("src", "environment"):
        shutil.copytree(HERE / name, WORK / name, dirs_exist_ok=True)
    step("build the environment of environment/conda.yml, and train two models in it")
    command = [sys.executable, "-m", "verdazul.environments", "environment/conda.yml"]
    built = run([*command, "--home", str(HOME)], stdout=subprocess.PIPE)
    run([built.stdout.strip(), "train.py", "."])


@contextmanager
def running(*, keep: bool) -> Iterator[None]:
    """Verdazul is up inside, and down again afterwards unless it is to be kept."""
    step("start verdazul in a home of its own")
    verdazul("down", "--only-show-errors")
    verdazul("up", "--detach")
    verdazul("online-endpoint", "delete", "-n", ENDPOINT, "--yes", "--only-show-errors")
    finished = False
    try:
        yield
        finished = True
    finally:
        if not (keep and finished):
            step("take everything down")
            verdazul("online-endpoint", "delete", "-n", ENDPOINT, "--yes", "--only-show-errors")
            verdazul("down")


@contextmanager
def caller() -> Iterator[Caller]:
    """A plain HTTPS client: the address, the certificate to trust, a key. No SDK is needed."""
    shown = verdazul("online-endpoint", "show", "-n", ENDPOINT, read=True)
    keys = verdazul("online-endpoint", "get-credentials", "-n", ENDPOINT, read=True)
    with httpx.Client(
        verify=ssl.create_default_context(cafile=HOME / "certs" / "ca.pem"),
        headers={"Authorization": f"Bearer {json.loads(keys)['primaryKey']}"},
        timeout=30,
    ) as client:
        yield Caller(client, json.loads(shown)["scoring_uri"])


def send(client: Caller, rows: dict[str, Any]) -> list[Answer]:
    """Every row once, from a few callers at a time."""
    pairs = zip(rows["data"], rows["malignant"], strict=True)
    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(lambda pair: client.ask(*pair), pairs))


def send_while(client: Caller, rows: dict[str, Any], change: Any) -> list[Answer]:
    """Rows over and over until some time after `change` has returned."""
    pairs = itertools.cycle(zip(rows["data"], rows["malignant"], strict=True))
    changed = threading.Event()
    answers: list[Answer] = []

    def call() -> None:
        left = 150
        while left:
            answers.append(client.ask(*next(pairs)))
            left -= changed.is_set()

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call) for _ in range(CALLERS)]
        try:
            change()
        finally:
            changed.set()
        for done in calls:
            done.result()
    return answers


def split(traffic: str) -> None:
    verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", traffic, "-o", "none")


def show_table(answers: list[Answer]) -> None:
    heads = f"{'requests':>9}{'share':>8}{'errors':>8}{'right':>8}{'p50':>9}{'p95':>9}"
    say(f"  {'deployment':12}{heads}")
    for name in sorted({answer.deployment for answer in answers}):
        mine = [answer for answer in answers if answer.deployment == name]
        times = sorted(answer.ms for answer in mine)
        say(
            f"  {name:12}{len(mine):9}{len(mine) / len(answers):8.0%}"
            f"{sum(a.status != 200 for a in mine):8}"
            f"{sum(a.is_right for a in mine) / len(mine):8.1%}"
            f"{statistics.median(times):6.1f} ms{times[int(len(times) * 0.95)]:6.1f} ms"
        )


def say_what_is_next() -> None:
    exports = f'eval "$({VERDAZUL} env --home {HOME})"'
    shown = verdazul("online-endpoint", "show", "-n", ENDPOINT, read=True)
    keys = verdazul("online-endpoint", "get-credentials", "-n", ENDPOINT, read=True)
    uri, key = json.loads(shown)["scoring_uri"], json.loads(keys)["primaryKey"]
    say(f"\naddress  {uri}\nkey      {key}\n\nnext:")
    row = json.dumps({"data": json.loads((WORK / "rows.json").read_text())["data"][:1]})
    for line in (
        exports,
        f"curl {uri} -H 'Authorization: Bearer {key}' -d {shlex.quote(row)}",
        f"{VERDAZUL} status",
        f"{VERDAZUL} online-deployment get-logs -e {ENDPOINT} -n green -l 20",
        f"{VERDAZUL} down",
    ):
        say(f"  {line}")


def verdazul(*words: str, read: bool = False) -> str:
    """Run the command line, shown as a person would type it."""
    if not read and "--only-show-errors" not in words:
        say(f"$ verdazul {shlex.join(words)}")
    out = subprocess.PIPE if read else None
    return run([str(VERDAZUL), *words, "--home", str(HOME)], stdout=out).stdout or ""


def run(argv: list[str], stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, cwd=WORK, stdout=stdout, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"quickstart: `{shlex.join(argv)}` ended with {done.returncode}")
    return done


def step(what: str) -> None:
    say(f"\n== {what}")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
