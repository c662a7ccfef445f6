"""Versions of assets: what never changes, what is shown, what comes next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.records import Asset, AssetKey
from verdazul.core.versions import (
    Page,
    View,
    containers,
    next_version,
    same_content,
    visible,
)


def asset(version: str = "1", *, name: str = "m", kind: str = "models", **body: Any) -> Asset:
    digest = body.pop("digest", "")
    return Asset(AssetKey(kind, name, version), json.dumps(body), digest, "", 0.0)


@pytest.mark.azure(56)
def test_what_is_said_about_a_version_is_not_its_content() -> None:
    known = asset(digest="d", modelType="custom_model", modelUri="here", tags={})
    said = asset(digest="d", modelType="custom_model", modelUri="there", tags={"a": "b"})

    assert same_content(known, said)
    assert not same_content(known, replace(said, digest="other"))
    assert not same_content(known, asset(digest="d", modelType="mlflow_model"))


@pytest.mark.parametrize("key", ["image", "condaFile", "build", "inferenceConfig", "osType"])
def test_an_environment_is_what_it_is_built_from(key: str) -> None:
    known = asset(kind="environments", **{key: "a"})

    assert same_content(known, asset(kind="environments", **{key: "a"}, description="new"))
    assert not same_content(known, asset(kind="environments", **{key: "b"}))


def test_absent_and_null_are_the_same() -> None:
    assert same_content(asset(kind="data", dataUri=None), asset(kind="data"))
    assert not same_content(asset(kind="data", dataUri="x"), asset(kind="data"))


@given(st.lists(st.booleans(), max_size=6))
def test_views_part_the_versions(archived: list[bool]) -> None:
    all_of_them = [asset(str(n), isArchived=is_so) for n, is_so in enumerate(archived)]

    active, put_away = visible(all_of_them, View.ACTIVE), visible(all_of_them, View.ARCHIVED)

    assert sorted([*active, *put_away], key=lambda a: a.key.version) == all_of_them
    assert visible(all_of_them, View.ALL) == tuple(all_of_them)
    assert len(put_away) == sum(archived)


def test_a_body_that_is_no_object_is_not_archived() -> None:
    odd = Asset(AssetKey("models", "m", "1"), "[]", "", "", 0.0)

    assert visible([odd], View.ACTIVE) == (odd,)


@given(st.lists(st.sampled_from(["1", "2", "10", "a", "-1", "1.5", "²"])))
def test_the_next_version_is_not_taken(taken: list[str]) -> None:
    assert next_version(taken) not in taken


def test_the_next_version_is_one_more_than_the_highest_number() -> None:
    assert next_version(["2", "10", "x"]) == "11"
    assert next_version([]) == "1"


def test_a_container_says_what_its_versions_are() -> None:
    newest_first = [
        asset("3", isArchived=True),
        asset("2"),
        asset("1"),
        asset("1", name="gone", isArchived=True),
    ]

    gone, model = containers(newest_first)

    assert (gone.name, gone.is_archived, gone.latest, gone.next) == ("gone", True, "1", "2")
    assert (model.name, model.is_archived, model.latest, model.next) == ("m", False, "2", "4")


@given(st.integers(0, 12), st.integers(1, 5))
def test_pages_together_are_the_whole_list(count: int, most: int) -> None:
    things, skip = list(range(count)), 0
    seen: list[int] = []
    while True:
        part, following = Page(skip).cut(things, most=most)
        seen += part
        if following is None:
            break
        skip = following

    assert seen == things


@given(st.integers(0, 12), st.integers(0, 14), st.none() | st.integers(0, 12), st.integers(1, 5))
def test_a_page_is_the_same_from_no_more_than_it_needs(
    count: int, skip: int, top: int | None, most: int
) -> None:
    page, things = Page(skip, top), list(range(count))
    read = things[skip:][: page.needed(most)]

    assert page.cut(read, most=most, begin=skip) == page.cut(things, most=most)


def test_who_says_how_many_gets_so_many_and_no_more() -> None:
    things = list(range(9))

    assert Page(0, 1).cut(things, most=5) == ([0], None)
    assert Page(3, 2).cut(things, most=5) == ([3, 4], None)
    assert Page(0, 7).cut(things, most=5) == ([0, 1, 2, 3, 4], 5)
