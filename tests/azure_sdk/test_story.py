"""Unmodified SDKs of three versions live through one long story, all at once on one server.

Nothing is told to them but four or five environment variables. Two of them are the home's owner, by
managed identity; one is a service principal with Azure's role for data scientists, by its secret.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.azure_sdk.environments import AGES, interpreter
from tests.e2e.system import System, running

pytestmark = pytest.mark.e2e
_STORY = Path(__file__).with_name("story.py")
_LONGEST_SECONDS = 400
FEWEST_CALLS = 60
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
ROLE = "AzureML Data Scientist"

SCORE = """
import json, os

def init():
    global model
    root = os.environ["AZUREML_MODEL_DIR"]
    found = [os.path.join(base, name) for base, _, names in os.walk(root) for name in names]
    model = sorted(os.path.relpath(path, root) for path in found)
    print("init was called", flush=True)

def run(raw):
    return {"model": model, "foo": os.environ.get("FOO"), "echo": json.loads(raw)}
"""
BROKEN = 'def init():\n    raise ValueError("the weights are gone")\ndef run(raw): ...\n'
CONDA = "name: inf\nchannels: [conda-forge]\ndependencies:\n- python=3.11\n- pip\n"


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[str]]]:
    """What each version's program printed, once it has ended."""
    folder = tmp_path_factory.mktemp("v")
    with running(folder) as system, ThreadPoolExecutor(len(AGES)) as pool:
        system.run("registry", "create", "-n", "shelf")
        told = {age: variables(system) for age in AGES} | {"middle": data_scientist(system)}
        yield {age: pool.submit(_told, told[age], folder / age, age) for age in AGES}


@pytest.mark.azure(1, 7, 8, 9, 11, 12, 14, 43, 54, 55, 56, 59, 60)
@pytest.mark.parametrize("age", AGES)
def test_an_unmodified_sdk_lives_through_the_story(
    stories: dict[str, Future[str]], age: str
) -> None:
    told = stories[age].result()

    calls = re.search(r"^CALLS (\d+)$", told, re.MULTILINE)
    assert calls, told[-4000:]
    assert int(calls[1]) >= FEWEST_CALLS


def _told(told: dict[str, str], folder: Path, age: str) -> str:
    _write(folder)
    done = subprocess.run(
        [interpreter(age), _STORY, age, folder],
        env=told | {"HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    return done.stdout


def variables(system: System) -> dict[str, str]:
    """All that the SDK is told: five variables, as `verdazul env` prints them."""
    told = system.run("env", "-o", "json").data
    names = (
        *("ARM_CLOUD_METADATA_URL", "REGISTRY_DISCOVERY_ENDPOINT_URL", "REQUESTS_CA_BUNDLE"),
        *("IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
    )
    return {"PATH": os.environ["PATH"], **{name: told[name] for name in names}}


def data_scientist(system: System) -> dict[str, str]:
    """The same for a program that is no owner. Usages are above workspaces: they need a Reader."""
    told = variables(system)
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/local"
    making = ("ad", "sp", "create-for-rbac", "-n", "ds", "--role", ROLE, "--scopes", scope)
    made = system.run(*making).data
    for role in ("Reader", "AzureML Registry User"):
        given = ("role", "assignment", "create", "--role", role)
        system.run(*given, "--assignee", made["appId"])
    return {
        **{name: told[name] for name in told if not name.startswith("IDENTITY_")},
        "AZURE_AUTHORITY_HOST": system.run("env", "-o", "json").data["AZURE_AUTHORITY_HOST"],
        "AZURE_TENANT_ID": made["tenant"],
        "AZURE_CLIENT_ID": made["appId"],
        "AZURE_CLIENT_SECRET": made["password"],
    }


def _write(folder: Path) -> None:
    for name, text in (
        ("src/score.py", SCORE),
        ("broken/score.py", BROKEN),
        ("conda.yml", CONDA),
        ("request.json", '{"x": 1}'),
        ("model/weights.bin", "w" * 1000),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    block = os.urandom(1 << 20)
    with (folder / "big.bin").open("wb") as file:
        for number in range(66):  # over 64 MiB, where the SDK begins to send blocks
            file.write(number.to_bytes(4, "big") + block)
