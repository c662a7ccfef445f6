"""Unmodified SDKs with `local=True`, on a machine without a container engine and without a server.

Nothing is told to them but DOCKER_HOST.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.azure_sdk.environments import AGES, interpreter
from tests.e2e.system import CONDA, VERDAZUL
from verdazul.engine.ending import stop_engine

pytestmark = pytest.mark.e2e
_STORY = Path(__file__).with_name("local_story.py")
_LONGEST_SECONDS = 300

SCORE = """
import json, os

def init():
    print("init was called", flush=True)

def run(raw):
    folder = os.environ["AZUREML_MODEL_DIR"]
    return {"who": os.environ["WHO"], "model": "model.txt" in os.listdir(folder)}
"""
BROKEN = 'def init():\n    raise ValueError("the weights are gone")\ndef run(raw): ...\n'


@pytest.fixture(scope="module")
def stories() -> Iterator[dict[str, Future[str]]]:
    """What each version's program printed, once it has ended; each has a home of its own."""
    with tempfile.TemporaryDirectory(prefix="v") as text, ThreadPoolExecutor(len(AGES)) as pool:
        yield {age: pool.submit(_told, Path(text, age), age) for age in AGES}


@pytest.mark.azure(107, 108, 110)
@pytest.mark.parametrize("age", AGES)
def test_an_unmodified_sdk_has_local_endpoints(stories: dict[str, Future[str]], age: str) -> None:
    told = stories[age].result()

    found = dict(line.split(" ", 1) for line in told.splitlines() if line.split(" ")[0].isupper())
    assert found.get("CREATED") == "fine LocalEndpointInFailedStateError", told[-4000:]
    assert found["STATES"] == "Succeeded Failed"
    assert (found["WHY"], found["LOGS"]) == ("True", "True")
    assert found["SHOWN"] == "local True"
    assert json.loads(found["ANSWER"]) == {"who": "one", "model": True}
    assert found["DEAD"] == "LocalEndpointInFailedStateError"
    assert json.loads(found["UPDATED"]) == {"who": "two", "model": True}
    assert found["LISTED"] == "broken credit"
    assert "credit" not in told.splitlines()[-1]


def _told(folder: Path, age: str) -> str:
    code = folder / "code"
    code.mkdir(parents=True)
    files = {"score.py": SCORE, "broken.py": BROKEN, "conda.yml": CONDA, "model.txt": "weights"}
    for name, text in files.items():
        (code / name).write_text(text)
    home = folder / "home"
    told = subprocess.run(
        [VERDAZUL, "env", "--local", "-o", "json", "--home", home],
        capture_output=True,
        check=True,
    )
    try:
        done = subprocess.run(
            [interpreter(age), _STORY, code],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **json.loads(told.stdout)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    finally:
        asyncio.run(stop_engine(home))
    return done.stdout
