"""Where an asset's files are, as bodies say it: a path in a datastore, or an address elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verdazul.model.errors import UserError
from verdazul.model.ids import WorkspaceId
from verdazul.model.show import shown

_IN_WORKSPACE = (
    r"(?:subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"(?:/providers/Microsoft\.MachineLearningServices)?/workspaces/(?P<workspace>[^/]+)/)?"
)
_DATASTORE = re.compile(
    rf"azureml://{_IN_WORKSPACE}datastores/(?P<datastore>[^/]+)/paths/(?P<path>.*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """`workspace` None: the one that is asked."""

    workspace: WorkspaceId | None
    datastore: str
    path: str

    def __str__(self) -> str:
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


def parse_datastore_path(text: str) -> DatastorePath | None:
    """A path in a datastore, or None when the text names something else.

    Raises UserError (InvalidPath) for one that leaves its datastore.
    """
    match = _DATASTORE.fullmatch(text)
    if not match:
        return None
    if any(part in {".", ".."} for part in match["path"].split("/")):
        raise UserError(
            f"{shown(text)} is not a path inside a datastore",
            code="InvalidPath",
            fix="write it without `.` and `..`",
        )
    workspace = None
    if match["workspace"]:
        workspace = WorkspaceId(match["subscription"], match["group"], match["workspace"])
    return DatastorePath(workspace, match["datastore"], match["path"].strip("/"))
