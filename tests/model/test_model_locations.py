"""Paths in datastores, as bodies write them."""

from __future__ import annotations

import pytest

from verdazul.model.errors import UserError
from verdazul.model.ids import WorkspaceId
from verdazul.model.locations import DatastorePath, parse_datastore_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("azureml://datastores/d/paths/a/b", DatastorePath(None, "d", "a/b")),
        ("AzureML://Datastores/d/Paths/a/", DatastorePath(None, "d", "a")),
        (
            "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/a",
            DatastorePath(WorkspaceId("s", "g", "w"), "d", "a"),
        ),
        (
            f"azureml:/{WorkspaceId('s', 'g', 'w')}/datastores/d/paths/a",
            DatastorePath(WorkspaceId("s", "g", "w"), "d", "a"),
        ),
        ("https://elsewhere/a", None),
        ("azureml://registries/r/models/m/versions/1", None),
        ("", None),
    ],
)
def test_a_path_in_a_datastore_is_taken_apart(text: str, found: DatastorePath | None) -> None:
    assert parse_datastore_path(text) == found


def test_it_is_written_without_its_workspace() -> None:
    assert str(DatastorePath(None, "d", "a/b")) == "azureml://datastores/d/paths/a/b"


@pytest.mark.parametrize("path", ["..", "a/../b", ".", "a/."])
def test_a_path_that_leaves_its_datastore_is_refused(path: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_datastore_path(f"azureml://datastores/d/paths/{path}")

    assert caught.value.problem.code == "InvalidPath"
