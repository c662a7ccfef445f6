"""The same YAML through the SDK's loader and ours: taken and refused alike, and the same body.

Where both differ, the case says why.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.azure_sdk.environments import interpreter
from verdazul.model.arm import deployment_to_arm, endpoint_to_arm
from verdazul.model.datastore_bodies import datastore_to_arm, load_datastore
from verdazul.model.errors import UserError
from verdazul.model.load import load_deployment, load_endpoint

_LOADER = Path(__file__).with_name("loader.py")
DEPLOYMENT = {
    "name": "blue",
    "endpoint_name": "my-ep",
    "model": "azureml:m:1",
    "code_configuration": {"code": "azureml:c:1", "scoring_script": "score.py"},
    "environment": "azureml:e:1",
    "instance_type": "Standard_DS3_v2",
    "instance_count": 1,
}
CLUSTER, AAD = "azureml:cluster", "aad_token"
REQUESTS, LIMITS = {"cpu": "0.1", "memory": "0.1Gi"}, {"cpu": "0.2", "memory": "200Mi"}
PROBE = {
    "initial_delay": 10,
    "period": 5,
    "timeout": 2,
    "success_threshold": 1,
    "failure_threshold": 3,
}


DATASTORE = {
    "name": "weights",
    "type": "azure_blob",
    "account_name": "mymodels",
    "container_name": "production",
}
GEN2 = {"type": "azure_data_lake_gen2", "container_name": "leave out", "filesystem": "lake"}
PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
CERTIFICATE = {"tenant_id": "t", "client_id": "c", "thumbprint": "x", "certificate": "PEM"}
AUTHORITY = {"authority_url": "https://login.example", "resource_url": "https://r.example"}


@dataclass(frozen=True)
class Case:
    """`ours_alone`: why we refuse what the SDK takes."""

    kind: str
    what: str
    content: Mapping[str, Any]
    ours_alone: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def endpoint(what: str, why: str = "", **fields: Any) -> Case:
    return Case("endpoint", what, {"name": "my-ep", **fields}, why)


def deployment(what: str, why: str = "", **fields: Any) -> Case:
    wanted = {key: value for key, value in {**DEPLOYMENT, **fields}.items() if value != "leave out"}
    return Case("deployment", what, wanted, why)


def kubernetes(what: str, why: str = "", **fields: Any) -> Case:
    wanted = {"type": "kubernetes", "instance_type": "leave out", **fields}
    return deployment(f"kubernetes, {what}", why, **wanted)


def datastore(what: str, why: str = "", **fields: Any) -> Case:
    wanted = {key: value for key, value in {**DATASTORE, **fields}.items() if value != "leave out"}
    return Case("datastore", what, wanted, why)


CASES = (
    endpoint("name alone"),
    endpoint("key", auth_mode="key"),
    endpoint("mode in capitals", auth_mode="AMLToken"),
    endpoint("token", auth_mode="aml_token"),
    endpoint("identity token", auth_mode="aad_token"),
    endpoint("unknown mode", auth_mode="zzz"),
    endpoint("words", description="d", tags={"a": "b"}, properties={"p": "q"}),
    endpoint("traffic", traffic={"blue": 90, "green": 10}),
    endpoint("mirror", traffic={"blue": 100}, mirror_traffic={"green": 10}),
    endpoint("traffic over 100", traffic={"blue": 60, "green": 50}),
    endpoint("negative share", "the SDK sends it", traffic={"blue": -5}),
    endpoint("no public access", public_network_access="disabled"),
    endpoint("unknown key", traficc={"blue": 100}),
    endpoint("compute", compute="azureml:inferencecompute", auth_mode="Key"),
    endpoint("compute that is none", "the SDK sends it", compute="azureml:a:b:c"),
    endpoint("identity token at a compute", "the SDK sends it", compute=CLUSTER, auth_mode=AAD),
    endpoint("mirror at a compute", "the SDK sends it", compute=CLUSTER, mirror_traffic={"b": 10}),
    endpoint("name that begins with a digit", name="1abc"),
    endpoint("name with an underscore", name="a_b"),
    endpoint("name of two letters", name="ab"),
    deployment("the usual"),
    deployment("variables", environment_variables={"FOO": "bar"}),
    deployment("words", description="d", tags={"a": "b"}, properties={"p": "q"}),
    deployment("several instances", instance_count=3),
    deployment("no instances", "the SDK sends it", instance_count=0),
    deployment(
        "request settings",
        request_settings={
            "request_timeout_ms": 3000,
            "max_concurrent_requests_per_instance": 2,
            "max_queue_wait_ms": 500,
        },
    ),
    deployment("endless", "the SDK sends it", request_settings={"request_timeout_ms": 999999999}),
    deployment("probes", liveness_probe=PROBE, readiness_probe={**PROBE, "period": 7}),
    deployment("mount path", model_mount_path="/var/m"),
    deployment("default scale", scale_settings={"type": "default"}),
    deployment("app insights", app_insights_enabled=True),
    deployment("egress", egress_public_network_access="disabled"),
    deployment("unknown key", instance_cuont=2),
    deployment("no name", name="leave out"),
    kubernetes("the usual"),
    kubernetes("instance type", instance_type="defaultinstancetype"),
    kubernetes("requests", resources={"requests": REQUESTS}),
    kubernetes("limits", resources={"requests": REQUESTS, "limits": LIMITS}),
    kubernetes("GPU", resources={"requests": REQUESTS, "limits": {"nvidia.com/gpu": "1"}}),
    kubernetes("utilisation", scale_settings={"type": "target_utilization", "max_instances": 3}),
    kubernetes("unknown resource", resources={"requests": {**REQUESTS, "disk": "1Gi"}}),
    kubernetes("no cores", "the SDK sends it", resources={"requests": {**REQUESTS, "cpu": "0"}}),
    kubernetes(
        "less than asked", "the SDK sends it", resources={"requests": LIMITS, "limits": REQUESTS}
    ),
    kubernetes("egress", egress_public_network_access="disabled"),
    kubernetes("longest timeout", request_settings={"request_timeout_ms": 300_000}),
    kubernetes("model of a registry", model="azureml://registries/azureml/models/m/versions/1"),
    deployment("resources", resources={"requests": REQUESTS}),
    deployment("model that is a folder", model="./m"),
    deployment("model by id", model="azureml://registries/azureml/models/m/versions/1"),
    deployment("label", model="azureml:m@latest"),
    deployment(
        "collector",
        data_collector={
            "collections": {"model_inputs": {"enabled": "true"}},
            "sampling_rate": 0.5,
            "rolling_rate": "hour",
        },
    ),
    deployment(
        "sampling over 1",
        data_collector={"collections": {"a": {"enabled": "true"}}, "sampling_rate": 2},
    ),
    datastore("account key", credentials={"account_key": "a2V5"}),
    datastore("signature", credentials={"sas_token": "sv=1"}),
    datastore("no credentials"),
    datastore("empty credentials", credentials={}),
    datastore("words", description="d", tags={"a": "b"}),
    datastore("another cloud", endpoint="core.chinacloudapi.cn", protocol="https"),
    datastore("gen2", **GEN2, credentials=PRINCIPAL),
    datastore("gen2 by certificate", **GEN2, credentials=CERTIFICATE),
    datastore("gen2 at another authority", **GEN2, credentials={**PRINCIPAL, **AUTHORITY}),
    datastore(
        "authority by its old name",
        **GEN2,
        credentials={**PRINCIPAL, "authority_uri": "https://login.example"},
    ),
    datastore("gen2 by key", **GEN2, credentials={"account_key": "a2V5"}),
    datastore("blob by principal", credentials=PRINCIPAL),
    datastore("principal without secret", **GEN2, credentials={"tenant_id": "t", "client_id": "c"}),
    datastore("two kinds of credentials", credentials={"account_key": "k", "sas_token": "s"}),
    datastore("credentials with a type", credentials={"type": "sas", "sas_token": "s"}),
    datastore("unknown credential", credentials={"password": "x"}),
    datastore("file share", type="azure_file", container_name="leave out", file_share_name="s"),
    datastore(
        "lake of the first generation",
        type="azure_data_lake_gen1",
        account_name="leave out",
        container_name="leave out",
        store_name="s",
    ),
    datastore("unknown type", type="azure_tape"),
    datastore("no type", type="leave out"),
    datastore("no account", account_name="leave out"),
    datastore("no container", container_name="leave out"),
    datastore("the key of another type", filesystem="abc"),
    datastore("properties", properties={"a": "b"}),
    datastore("its own id", "the SDK drops it without a word", id="x"),
    datastore("unknown key", acount="x"),
    datastore("no such account", "no account has such a name", account_name="My_Models"),
    datastore("no such protocol", "nothing speaks it", protocol="ftp"),
)

# What one side says and the other leaves to the server, which reads it the same way.
_SERVERS_DEFAULTS = (
    "identity.type",
    "sku.name",
    "properties.publicNetworkAccess",
    "properties.egressPublicNetworkAccess",
    "properties.scaleSettings.scaleType",
    "properties.requestSettings.",
    "properties.livenessProbe.",
    "properties.readinessProbe.",
    "properties.appInsightsEnabled",
    "properties.authMode",
    "properties.endpointComputeType",
    "properties.instanceType",
    "properties.endpoint",
    "properties.protocol",
    "properties.credentials.authorityUrl",
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the SDK makes of every case, in one process."""
    folder = tmp_path_factory.mktemp("yaml")
    paths = [str(written(case, folder / str(number))) for number, case in enumerate(CASES)]
    done = subprocess.run(
        [interpreter("new"), _LOADER],
        input=json.dumps(paths),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    return dict(zip((str(case) for case in CASES), json.loads(done.stdout), strict=True))


@pytest.mark.azure(1, 3, 6, 54)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_take_or_refuse_it_and_say_the_same(
    theirs: dict[str, dict[str, Any]], tmp_path: Path, case: Case
) -> None:
    mine, other = ours(written(case, tmp_path)), theirs[str(case)]

    if "is not supported yet" in mine.get("refused", ""):
        assert "body" in other
        return
    if case.ours_alone:
        assert ("refused" in mine, "refused" in other) == (True, False), (mine, other)
        return
    assert ("refused" in mine) == ("refused" in other), (mine, other)
    if "body" in mine:
        assert differences(mine["body"], other["body"]) == []


def ours(path: Path) -> dict[str, Any]:
    try:
        if path.name == "datastore.yml":
            return {"body": datastore_to_arm(load_datastore(path))}
        if path.name == "endpoint.yml":
            return {"body": endpoint_to_arm(load_endpoint(path), location="local")}
        return {"body": deployment_to_arm(load_deployment(path), location="local")}
    except UserError as error:
        return {"refused": str(error)}


def written(case: Case, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{case.kind}.yml"
    path.write_text(yaml.safe_dump(dict(case.content)))
    return path


def differences(mine: Any, other: Any) -> list[str]:
    """Places that say different things, or that one side says alone and no default explains."""
    one, two = dict(leaves(mine)), dict(leaves(other))
    different = [path for path in one.keys() & two.keys() if one[path] != two[path]]
    alone = [path for path in one.keys() ^ two.keys() if not path.startswith(_SERVERS_DEFAULTS)]
    return sorted(different + alone)


def leaves(body: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Each value by its path; references without the prefix that both sides may leave out."""
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from leaves(value, f"{at}.{key}" if at else str(key))
    elif body is not None:
        text = body.removeprefix("azureml:") if isinstance(body, str) else body
        yield at, text if not isinstance(text, str) or "://" in text else text.lower()
