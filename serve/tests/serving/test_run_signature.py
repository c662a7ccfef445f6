"""What run() may look like, and what a person is told about one that may not be run."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve import batching, modes
from verdazul_serve.imports import explain_missing

from .loading import loaded
from .scripts import INIT, PLAIN, RAW, SCHEMA, problem


async def waits(data: str) -> str:
    return data


async def yields(data: str) -> AsyncIterator[str]:
    yield data


class Waits:
    async def __call__(self, data: str) -> str:
        return data


@functools.wraps(waits)
def finishes(data: str) -> str:
    return asyncio.run(waits(data))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (waits, True),
        (yields, True),
        (Waits(), True),
        (Waits().__call__, True),
        (functools.partial(waits), True),
        (finishes, False),
        (lambda data: data, False),
        (len, False),
    ],
)
def test_a_run_is_async_when_calling_it_only_makes_something_to_await(
    run: Callable[..., Any],
    expected: bool,  # noqa: FBT001
) -> None:
    assert modes.is_async(run) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SCHEMA + RAW + '@rawhttp\n@input_schema("a", Type(1))\ndef run(a): pass\n',
            "run() cannot be decorated with both @rawhttp and @input_schema",
        ),
        (
            RAW + "@rawhttp\ndef run(request, more): pass\n",
            "run() is called with its first argument (request) only; more would have no value.",
        ),
        (
            INIT + "def run(a, /): pass\n",
            "run() cannot accept positional-only arguments, *args, or **kwargs.",
        ),
        (
            INIT + "def run(a, **more): pass\n",
            "run() cannot accept positional-only arguments, *args, or **kwargs.",
        ),
        (INIT + "def run(): pass\n", "run() needs to accept an argument for input data."),
        (
            INIT + "def run(request_headers): pass\n",
            'run() needs to accept an argument other than "request_headers".',
        ),
        (INIT + "run = type\n", "run() has no signature that can be read: no signature found"),
        (
            RAW + "from verdazul_serve import batching\n"
            "@rawhttp\n@batching.batch()\ndef run(request): pass\n",
            "run() cannot be decorated with both @batch and @rawhttp; batching takes plain scripts",
        ),
        (
            SCHEMA + "from verdazul_serve import batching\n"
            '@input_schema("a", Type(1))\n@batching.batch()\ndef run(a): pass\n',
            "run() cannot be decorated with both @batch and @input_schema; batching takes",
        ),
    ],
)
def test_a_wrong_signature_fails_the_boot(tmp_path: Path, text: str, message: str) -> None:
    found = problem(tmp_path, text)

    assert found.code == "InvalidRunSignature"
    assert found.message.startswith(message)
    assert found.where.startswith("score.py")
    assert found.fix


def test_a_batch_is_taken_from_run(tmp_path: Path) -> None:
    text = (
        INIT + "from verdazul_serve.batching import batch\n@batch(max_size=3)\ndef run(d): pass\n"
    )

    with loaded(tmp_path, text) as script, loaded(tmp_path, PLAIN) as other:
        assert isinstance(script.batch, batching.Rule)
        assert (script.batch.max_size, other.batch) == (3, None)


@pytest.mark.parametrize("module", ["aml_request", "aml_response"])
def test_without_flask_its_package_is_asked_for(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flask", None)  # as import marks what is not there

    found = problem(tmp_path, f"import azureml.contrib.services.{module}\n{PLAIN}")

    assert (found.code, found.where) == ("UserScriptImportError", "score.py:1")
    assert found.fix.startswith('add "flask" to the pip list')
    assert not any("verdazul_serve" in line for line in found.traceback)


@pytest.mark.parametrize(
    ("module", "fix"),
    [
        ("azureml.core", 'add "azureml-core" to the pip list'),
        ("azureml.core.model", 'add "azureml-core" to the pip list'),
        ("azureml.ai.monitoring", 'add "azureml-ai-monitoring" to the pip list'),
        ("azureml.fsspec", 'add "azureml-fsspec" to the pip list'),
        ("inference_schema.schema_decorators", 'add "inference-schema" to the pip list'),
        ("google.protobuf.message", 'add "protobuf" to the pip list'),
        ("sklearn.linear_model", 'add "scikit-learn" to the pip list'),
        ("azureml.contrib.services.x", "this server offers AMLRequest, AMLResponse and rawhttp"),
        ("azureml_inference_server_http.server", "this server offers AMLRequest"),
    ],
)
def test_a_missing_module_is_told_by_its_package(module: str, fix: str) -> None:
    assert explain_missing(module, script="/code/score.py", root="/code").startswith(fix)


def test_the_model_folder_is_named_to_those_who_want_azureml_core() -> None:
    fix = explain_missing("azureml.core", script="/code/score.py", root="/code")

    assert 'os.environ["AZUREML_MODEL_DIR"]' in fix
