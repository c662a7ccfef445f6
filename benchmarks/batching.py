"""What `@batch` gains: the same model one request at a time and gathered, with 32 callers.

The model is a deep, narrow network in numpy, 200 layers of 64: most of its time is spent per layer,
not per row, so 32 rows cost little more than one. Beside it the same model in MLServer, with and
without its adaptive batching, told the same size and delay. One worker each.
A p95 may be the delay, the batch that ran before, and the batch itself.

    python benchmarks/batching.py [--quick] [-o json]
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import table
from peers import mlserver, verdazul
from serving.environments import prepare
from serving.load import ask, load, require_wrk
from serving.peer import Peer
from serving.process import environ, running
from serving.report import digits, medians

CALLERS = 32
SIZE, DELAY_MS = 32, 5
GAIN = 3
MODEL = """import numpy

DEPTH, WIDTH = 200, 64
generator = numpy.random.default_rng(1)
layers = generator.standard_normal((DEPTH, WIDTH, WIDTH), dtype="float32") / numpy.float32(64)


def forward(rows):
    state = numpy.asarray(rows, dtype="float32")
    for layer in layers:
        state = state + numpy.maximum(state @ layer, 0)
    return state.mean(axis=1)
"""
ONE_BY_ONE = """import json
import model


def init():
    pass


def run(raw):
    return {"y": float(model.forward([json.loads(raw)["x"]])[0])}
"""
GATHERED = f"""import json
import model
from verdazul_serve import batch


def init():
    pass


@batch(max_size={SIZE}, max_delay_ms={DELAY_MS})
def run(raws):
    return [{{"y": float(y)}} for y in model.forward([json.loads(raw)["x"] for raw in raws])]
"""
ALONE = """import json
import time
import model


def ms(rows):
    began = time.perf_counter()
    model.forward(rows)
    return (time.perf_counter() - began) * 1000


row = {row}
one, many = ([ms([row] * size) for _ in range(200)] for size in (1, {size}))
median = len(one) // 2
print(json.dumps([sorted(one)[median], sorted(many)[median], float(model.forward([row])[0])]))
"""
ROW = [number % 7 for number in range(64)]
OWN_BODY = json.dumps({"x": ROW}).encode()
INPUT = {"name": "x", "shape": [1, len(ROW)], "datatype": "FP32", "data": ROW}
MLSERVER_BODY = json.dumps({"inputs": [INPUT]}).encode()


@dataclass(frozen=True)
class Contestant:
    """A server, and how it is asked."""

    peer: Peer
    is_gathered: bool
    body: bytes
    read: Callable[[Any], float]


@dataclass(frozen=True)
class Model:
    """The model without a server."""

    one_ms: float
    batch_ms: float
    answer: float

    @property
    def bound_ms(self) -> float:
        """The longest that gathering may take: the delay, the batch before, the batch."""
        return DELAY_MS + 2 * self.batch_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    require_wrk()
    require_batch(prepare(verdazul.ENVIRONMENT))
    model = alone(prepare(verdazul.ENVIRONMENT))
    rows = compare(model, rounds=options.rounds, seconds=options.seconds)
    if options.output == "json":
        print(json.dumps({"model": asdict(model), "servers": rows}, indent=1))
    else:
        show(model, rows)


def require_batch(python: Path) -> None:
    """End with a sentence while there is no such decorator."""
    program = f"import sys; sys.path.append({verdazul.SOURCE!r}); from verdazul_serve import batch"
    if subprocess.run([str(python), "-c", program], capture_output=True, check=False).returncode:
        raise SystemExit("verdazul_serve has no `batch` in this tree: nothing to measure yet")


def alone(python: Path) -> Model:
    """Medians, in the interpreter that serves it."""
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        Path(folder, "model.py").write_text(MODEL)
        program = ALONE.format(row=ROW, size=SIZE)
        output = subprocess.check_output([str(python), "-c", program], cwd=folder, env=environ())
    return Model(*json.loads(output))


def contestants() -> list[Contestant]:
    """Ours and the peer, each without and with gathering."""
    settings = {"max_batch_size": SIZE, "max_batch_time": DELAY_MS / 1000}
    single = mlserver.batching("mlserver", {"model.py": MODEL})
    many = mlserver.batching("mlserver, adaptive", {"model.py": MODEL}, **settings)
    return [
        Contestant(
            ours("verdazul", ONE_BY_ONE), is_gathered=False, body=OWN_BODY, read=_own_answer
        ),
        Contestant(
            ours("verdazul, @batch", GATHERED), is_gathered=True, body=OWN_BODY, read=_own_answer
        ),
        Contestant(single, is_gathered=False, body=MLSERVER_BODY, read=_mlserver_answer),
        Contestant(many, is_gathered=True, body=MLSERVER_BODY, read=_mlserver_answer),
    ]


def ours(name: str, score: str) -> Peer:
    return replace(verdazul.PEER, name=name, files={"score.py": score, "model.py": MODEL})


def _own_answer(answer: Any) -> float:
    return float(answer["y"])


def _mlserver_answer(answer: Any) -> float:
    return float(answer["outputs"][0]["data"][0])


def compare(model: Model, *, rounds: int, seconds: int) -> list[dict[str, Any]]:
    """A row for each contestant, with its gain over its own kind without gathering."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    everyone = contestants()
    for number in range(rounds):
        for it in everyone:
            print(f"round {number + 1} of {rounds}: {it.peer.name}", file=sys.stderr)
            found[it.peer.name].append(measure(it, model, seconds))
    rows, single = [], 0.0
    for it in everyone:
        figures = medians(found[it.peer.name])
        single = single if it.is_gathered else figures["requests_per_second"]
        gain = figures["requests_per_second"] / single if single else 0.0
        bound = model.bound_ms if it.is_gathered else None
        rows.append({"server": it.peer.name, **figures, "gain": gain, "bound_ms": bound})
    return rows


def measure(it: Contestant, model: Model, seconds: int) -> dict[str, float]:
    """One start of one server."""

    def check(port: int, path: str) -> None:
        answer = it.read(ask(port, path, it.body))
        if not math.isclose(answer, model.answer, rel_tol=1e-3):
            raise ValueError(f"wrong answer: {answer}, not {model.answer}")

    python = prepare(it.peer.environment)
    with running(it.peer, python, 1, check=check) as server:
        load(server, it.body, callers=CALLERS, seconds=1)  # warm-up
        return asdict(load(server, it.body, callers=CALLERS, seconds=seconds))


def show(model: Model, rows: list[dict[str, Any]]) -> None:
    """The table, and what was promised."""
    most = SIZE * model.one_ms / model.batch_ms
    print(f"the model alone: one row {model.one_ms:.2f} ms, {SIZE} rows {model.batch_ms:.2f} ms,")
    print(f"so gathering can gain {most:.1f} x at most if nothing but the model took time\n")
    table([_line(row) for row in rows])
    gain, p95 = rows[1]["gain"], rows[1]["p95_ms"]
    print(f"\ngain at least {GAIN} x: {gain:.1f}, {_verdict(is_met=gain >= GAIN)}")
    bound = f"p95 at most {model.bound_ms:.1f} ms (delay {DELAY_MS} ms, two batches)"
    print(f"{bound}: {p95:.1f} ms, {_verdict(is_met=p95 <= model.bound_ms)}")


def _line(row: dict[str, Any]) -> dict[str, str]:
    return {
        "server": row["server"],
        "requests/s": digits(row["requests_per_second"]),
        "gain": f"{row['gain']:.1f} x",
        "p50 ms": digits(row["p50_ms"]),
        "p95 ms": digits(row["p95_ms"]),
        "p95 bound ms": digits(row["bound_ms"]) if row["bound_ms"] else "",
        "CPU µs/request": digits(row["cpu_us"]),
        "wrong": f"{row['errors']:.0f}",
    }


def _verdict(*, is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
