"""A model in a storage account elsewhere, by command alone: declared, deployed, its key changed."""

from __future__ import annotations

import base64
import json

import pytest

from tests.artifacts.storage_account import CONTAINER, KEY, NAME, Account, serving
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
WRONG = base64.b64encode(b"the key of another account").decode()
SCORE = """
import os
from pathlib import Path

def init():
    global found
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}

def run(raw_data):
    return found
"""
STORE = """$schema: https://azuremlschemas.azureedge.net/latest/azureBlob.schema.json
name: weights
type: azure_blob
account_name: {account}
container_name: {container}
protocol: http
endpoint: 127.0.0.1:{port}
credentials:
  account_key: {key}
"""


def store(system: System, account: Account, key: str) -> str:
    text = STORE.format(account=NAME, container=CONTAINER, port=account.port, key=key)
    return str(system.write("store.yml", text))


def test_a_model_comes_from_an_account_elsewhere_and_outlives_it(system: System) -> None:
    blobs = {"m/credit/a.txt": b"one", "m/credit/deep/b.txt": b"two", "m/other/c.txt": b"three"}
    extra = "model:\n  path: azureml://datastores/weights/paths/m/credit"
    system.run("online-endpoint", "create", "-n", "fetched")
    file = str(system.deployment("fetched", "blue", score=SCORE, extra=extra))
    deploy = ("online-deployment", "create", "--all-traffic", "-f", file)

    with serving(Account(blobs=blobs)) as account:
        made = system.run("datastore", "create", "-f", store(system, account, KEY))
        system.run("datastore", "update", "-n", "weights", "--set", "tags.team=risk")
        shown = system.run("datastore", "show", "-n", "weights")
        system.run(*deploy)
        account.blobs["m/credit/a.txt"] = b"changed"
        system.run(*deploy)
        wrong = store(system, account, WRONG)
        system.run("datastore", "create", "-f", wrong)
        words = ("model", "create", "-n", "late", "-p")
        refused = system.run(*words, "azureml://datastores/weights/paths/m/other", code=None)
    with system.client("fetched") as client:
        answer = client.post("score", json={}).json()
    in_use = system.run("datastore", "delete", "-n", "weights", code=1)
    system.split("fetched", "blue=0")
    system.run("online-deployment", "delete", "-e", "fetched", "-n", "blue", "--yes")
    system.run("datastore", "delete", "-n", "weights")
    listed = system.run("datastore", "list").data

    assert {path.removeprefix("credit/"): text for path, text in answer.items()} == {
        "a.txt": "changed",
        "deep/b.txt": "two",
    }
    assert KEY not in made.out + shown.out + json.dumps(listed)
    assert shown.data["tags"] == {"team": "risk"}
    assert "deployment fetched/blue uses" in in_use.err
    assert refused.code == 1
    assert "weights" in refused.err
    assert WRONG not in refused.err
    assert [one["name"] for one in listed] == ["workspaceblobstore"]
