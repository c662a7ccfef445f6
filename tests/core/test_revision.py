"""The laws of `Bundle.revision`: the same content is the same revision, and nothing else counts."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from tests.core.records import bundle, bundles, deployment

from verdazul.core.environment import Recipe
from verdazul.core.instance import InstanceId, Limits, Probe
from verdazul.core.revision import Bundle, ModelMount

CHANGED: dict[str, object] = {
    "code": "sha256:other",
    "scoring_script": "other.py",
    "model": ModelMount("sha256:model", "m", "1"),
    "recipe": Recipe("an/image", "dependencies: [pip]"),
    "variables": (("A", "1"),),
    "instance_type": "Standard_F4s_v2",
    "liveness": Probe(period=11),
    "readiness": Probe(period=11),
    "limits": Limits(cpus=2, memory_bytes=2**30),
    "is_isolated": True,
}


@given(bundles, bundles)
def test_equal_bundles_have_equal_revisions_and_others_do_not(one: Bundle, two: Bundle) -> None:
    assert one.revision == replace(one).revision
    assert (one.revision == two.revision) == (one == two)


def test_what_is_granted_by_a_size_counts_as_it_did_before_there_were_limits() -> None:
    assert bundle().revision == "a662d9fc7c"


@given(bundles)
def test_a_revision_fits_into_an_instance_id(one: Bundle) -> None:
    assert re.fullmatch(r"[0-9a-f]{10}", one.revision)
    where = InstanceId("credit", "blue", one.revision, 0)
    assert InstanceId.parse(str(where)) == where


@pytest.mark.parametrize("name", [field.name for field in fields(Bundle)])
def test_every_part_of_a_bundle_counts(name: str) -> None:
    assert bundle().revision != replace(bundle(), **{name: CHANGED[name]}).revision  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("part", ["digest", "name", "version"])
def test_every_part_of_a_model_counts(part: str) -> None:
    model = ModelMount("sha256:model", "m", "1")
    other = replace(model, **{part: "other"})

    assert bundle(model=model).revision != bundle(model=other).revision


@pytest.mark.parametrize(
    "change",
    [
        {"instance_count": 7},
        {"tags": {"a": "b"}},
        {"description": "other"},
        {"request_settings": {"request_timeout_ms": 1}},
        {"properties": {"a": "b"}},
    ],
)
def test_what_needs_no_new_instance_is_not_in_it(change: dict[str, Any]) -> None:
    assert deployment(**change).bundle.revision == deployment().bundle.revision


def test_a_revision_is_the_same_in_every_version_of_this_program() -> None:
    """A new digest for old content would restart every instance at an upgrade."""
    assert bundle().revision == "a662d9fc7c"


def test_a_bundle_knows_its_artifacts() -> None:
    with_model = bundle("sha256:code", model=ModelMount("sha256:model", "m", "1"))

    assert bundle("sha256:code").artifacts == {"sha256:code"}
    assert with_model.artifacts == {"sha256:code", "sha256:model"}
