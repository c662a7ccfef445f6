"""Parameters and headers that routes share, each described once."""

from __future__ import annotations

from typing import Any

from verdazul.core.versions import View
from verdazul.model.names import LONGEST, PATTERN, SHORTEST
from verdazul.model.schema import Schema

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_NAME: Schema = {
    "type": "string",
    "minLength": SHORTEST,
    "maxLength": LONGEST,
    "pattern": f"^{PATTERN}$",
}
_ASSET: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"}

PATH: dict[str, tuple[str, Schema]] = {
    "subscription": ("The home's subscription id.", _TEXT),
    "group": ("The home's resource group.", _TEXT),
    "workspace": ("The home's workspace.", _TEXT),
    "registry": ("A registry's name.", _ASSET),
    "location": ("The home's location.", _TEXT),
    "endpoint": ("An endpoint's name; case does not count.", _NAME),
    "deployment": ("A deployment's name; case does not count.", _NAME),
    "name": ("A name.", _ASSET),
    "version": ("A version.", _ASSET),
    "lock": ("A lock's name.", {"type": "string", "minLength": 1}),
    "assignment": ("A GUID.", {"type": "string", "format": "uuid"}),
    "definition": ("The role's GUID.", {"type": "string", "format": "uuid"}),
    "id": ("The id, or the name it logs in by.", {"type": "string", "minLength": 1}),
    "template": ("A template deployment's name.", _TEXT),
    "status": ("As Azure-AsyncOperation names it.", _TEXT),
    "tenant": ("`adfs`, or the tenant's id.", _TEXT),
    "operation": ("As Azure-AsyncOperation names it.", _TEXT),
    "container": ("A datastore's container, or the id of an upload.", _TEXT),
    "path": ("A path with any number of segments.", _TEXT),
}
QUERY: dict[str, tuple[str, Schema]] = {
    "api-version": (
        "Azure's clients send one; the interface is the same for each, and for none.",
        {"type": "string", "examples": ["2023-04-01"]},
    ),
    "$skip": ("How many entries to leave out at the start.", _COUNT),
    "$top": ("How many entries at the most; without it a page and `nextLink`.", _COUNT),
    "$filter": (
        (
            "`atScope()`, `principalId eq 'ID'`, `assignedTo('ID')`, or several with `and`; of "
            "roles `roleName eq 'NAME'`, `type eq 'CustomRole'`; of "
            "identities `displayName eq 'NAME'`; of the activity log `eventTimestamp ge 'TIME'`, "
            "`resourceUri eq 'ID'`, `caller eq 'NAME'`, `status eq 'Failed'`."
        ),
        _TEXT,
    ),
    "$skiptoken": ("Where the page begins, as the last one said.", _TEXT),
    "$orderBy": (
        "By time, newest first unless said otherwise.",
        {"type": "string", "enum": ["createdtime desc", "createdtime asc", "createdtime"]},
    ),
    "listViewType": (
        "Which of them: those that are not archived, unless said otherwise.",
        {"type": "string", "enum": list(View)},
    ),
    "hash": ("Versions with this hash, of whatever name.", _TEXT),
    "hashVersion": ("How the hash was made; hashes of different kinds never meet.", _TEXT),
    "category": ("Connections of this category only.", _TEXT),
    "isDefault": (
        "`true`: the workspace's own; `false`: all others.",
        {"type": "string", "enum": ["true", "false"]},
    ),
    "names": ("Datastores of these names only, with commas.", _TEXT),
    "searchText": ("Those with this in their name.", _TEXT),
    "count": ("So many to a page, 100 at the most.", {"type": "integer", "minimum": 0}),
    "orderBy": (
        "By what, the largest first; by name, the workspace's own first, when not given.",
        {"type": "string", "enum": ["createdtime", "modifiedtime", "name"]},
    ),
    "orderByAsc": ("`true`: the smallest first.", {"type": "string", "enum": ["true", "false"]}),
    "skipValidation": (
        "`true`: keep it without trying whether its credentials open it.",
        {"type": "string", "enum": ["true", "false"]},
    ),
    "resource": (
        "What the token is for: this server, https://storage.azure.com, https://ml.azure.com.",
        _TEXT,
    ),
    "comp": ("`list` for a container; `block`, `blocklist` or `metadata` for a blob.", _TEXT),
    "prefix": ("Blobs whose path begins so.", _TEXT),
    "delimiter": ("What separates folders; they are listed as prefixes.", _TEXT),
    "marker": ("Where the page begins, as the last one said.", _TEXT),
    "maxresults": ("Most entries of a page.", {"type": "integer", "minimum": 1, "maximum": 5000}),
    "include": ("`metadata` to have it in the list.", _TEXT),
    "blockid": ("A block's id, in base64.", _TEXT),
}
REQUEST_HEADERS: dict[str, tuple[str, Schema]] = {
    "If-Match": ("The ETag that was read, or `*`: else 412.", _TEXT),
    "If-None-Match": ("`*`: only what is not there yet.", _TEXT),
    "Range": ("`bytes=FIRST-LAST`.", _TEXT),
    "x-ms-range": ("As Range.", _TEXT),
    "x-ms-blob-type": ("`BlockBlob`.", _TEXT),
    "Content-MD5": ("What arrives is checked against it.", _TEXT),
}
HEADERS: dict[str, tuple[str, Schema]] = {
    "ETag": ("The generation; for If-Match.", _TEXT),
    "Last-Modified": ("When it was written.", _TEXT),
    "Content-Range": ("Which part of how much.", _TEXT),
    "Azure-AsyncOperation": (
        "Poll this until `status` is Succeeded, Failed or Canceled.",
        {"type": "string", "format": "uri"},
    ),
    "Location": (
        "The resource, or what a deletion or an action came to.",
        {"type": "string", "format": "uri"},
    ),
    "Retry-After": ("Seconds until the next poll.", {"type": "integer", "minimum": 1}),
    "x-ms-async-operation-timeout": (
        "How long a client may wait.",
        {"type": "string", "pattern": "^PT[0-9]+M$"},
    ),
    "WWW-Authenticate": ("Bearer.", _TEXT),
    "x-ms-error-code": ("The error's code, for answers without a body.", _TEXT),
}


def parameter(where: str, name: str) -> dict[str, Any]:
    """One parameter in place."""
    known = {"path": PATH, "query": QUERY, "header": REQUEST_HEADERS}[where]
    says, schema = known[name]
    needed = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, **needed, "description": says, "schema": schema}


def header(name: str) -> dict[str, Any]:
    """One header of an answer."""
    says, schema = HEADERS[name]
    return {"description": says, "schema": schema}
