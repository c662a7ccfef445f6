"""A program written for Azure's SDK: endpoints with local=True. It knows nothing of Verdazul.

How long the SDK waits after a start (15 s) is the only thing set otherwise; it is no longer than
what waits for it may take.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.constants._endpoint import LocalEndpointConstants
from azure.ai.ml.entities import (
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
)
from azure.core.credentials import AccessToken

LocalEndpointConstants.DEFAULT_STARTUP_WAIT_TIME_SECONDS = 5


class Nobody:
    """Local endpoints ask nobody."""

    def get_token(self, *_scopes: str, **_more: object) -> AccessToken:
        return AccessToken("none", int(time.time()) + 3600)


def main(folder: Path) -> None:
    client = MLClient(Nobody(), "00000000-0000-0000-0000-000000000000", "local", "verdazul")
    endpoints, deployments = client.online_endpoints, client.online_deployments
    request = folder / "request.json"
    request.write_text(json.dumps({"x": 1}))

    def deployment(endpoint: str, script: str, who: str) -> ManagedOnlineDeployment:
        return ManagedOnlineDeployment(
            name="blue",
            endpoint_name=endpoint,
            model=Model(path=str(folder / "model.txt")),
            code_configuration=CodeConfiguration(code=str(folder), scoring_script=script),
            environment=Environment(
                image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
                conda_file=str(folder / "conda.yml"),
            ),
            environment_variables={"WHO": who},
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )

    def tried(script: str, endpoint: str) -> str:
        try:
            deployments.begin_create_or_update(deployment(endpoint, script, "one"), local=True)
        except Exception as error:  # noqa: BLE001 - its name is what is told
            return type(error).__name__
        return "fine"

    endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="credit"), local=True)
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(tried, ("score.py", "broken.py"), ("credit", "broken"))
    print("CREATED", *outcomes)
    print("STATES", *(deployments.get("blue", e, local=True).provisioning_state
                      for e in ("credit", "broken")))  # fmt: skip
    print("WHY", "the weights are gone" in deployments.get_logs("blue", "broken", 50, local=True))
    shown = endpoints.get("credit", local=True)
    print("SHOWN", shown.location, shown.scoring_uri.startswith("http://localhost:"))
    print("ANSWER", endpoints.invoke("credit", request_file=str(request), local=True))
    print("LOGS", "init was called" in deployments.get_logs("blue", "credit", 50, local=True))
    try:
        endpoints.invoke("broken", request_file=str(request), local=True)
    except Exception as error:  # noqa: BLE001
        print("DEAD", type(error).__name__)
    deployments.begin_create_or_update(deployment("credit", "score.py", "two"), local=True)
    print("UPDATED", endpoints.invoke("credit", request_file=str(request), local=True))
    print("LISTED", *sorted(endpoint.name for endpoint in endpoints.list(local=True)))
    deployments.delete("blue", "broken", local=True)
    endpoints.begin_delete("credit", local=True)
    print("LEFT", *(endpoint.name for endpoint in endpoints.list(local=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
