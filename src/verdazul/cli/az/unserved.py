"""Why a group of az is not served, and what does the same here: for those that scripts use."""

from __future__ import annotations

from collections.abc import Iterable

_CLUSTER = "instances are processes of this machine; there is no cluster"
_WHY = {
    "acr": "there is no container registry. A deployment names an image of Azure's and a "
    "conda_file; an image of one's own is built by `docker build` and tried with --local",
    "aks": _CLUSTER,
    "identity": "there are no managed identities; a script gets what it needs by "
    "environment_variables",
    "k8s-extension": _CLUSTER,
    "keyvault": "there is no key vault; credentials are kept in connections "
    "(`az ml connection create`)",
    "network": "a home has no virtual network; its gateway listens on one address "
    "(`verdazul up --host`)",
    "rest": "send it by curl, with `az account get-access-token` (see `verdazul env`)",
    "vm": "a home is this machine; there is no other",
}


def why(group: str, known: Iterable[str]) -> str:
    """What to say of it."""
    return _WHY.get(group) or f"this az is Verdazul's and knows {', '.join(known)}"
