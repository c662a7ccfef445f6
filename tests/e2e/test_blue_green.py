"""The main job: two deployments behind one address, split, pinned, switched."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.system import SCORE, System, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def credit(system: System) -> str:
    """An endpoint with blue and green; blue takes everything."""
    system.serving("credit", "blue", "green")
    return "credit"


def test_answers_over_tls_with_a_key_and_say_who_answered(system: System, credit: str) -> None:
    with system.client(credit) as client:
        response = client.post("score", json={"x": [1, 2]})

    assert response.status_code == 200
    assert response.json() == {"who": "blue", "echo": {"x": [1, 2]}}
    assert response.headers["azureml-model-deployment"] == "blue"
    assert float(response.headers["ms-azureml-model-time"]) >= 0


def test_header_pins_a_deployment_without_traffic(system: System, credit: str) -> None:
    with system.client(credit, **{"azureml-model-deployment": "GREEN"}) as client:
        assert client.post("score", json=1).json()["who"] == "green"


def test_unknown_deployment_is_404_and_named(system: System, credit: str) -> None:
    with system.client(credit, **{"azureml-model-deployment": "red"}) as client:
        response = client.post("score", json=1)

    assert response.status_code == 404
    assert "red" in response.json()["error"]["message"]


@pytest.mark.azure(40)
@pytest.mark.parametrize("credential", ["", "Bearer wrong", "Basic abc"])
def test_wrong_or_missing_key_is_401_with_json(
    system: System, credit: str, credential: str
) -> None:
    with system.client(credit) as client:
        response = client.post("score", json=1, headers={"Authorization": credential})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "Unauthorized"


@pytest.mark.azure(35, 36)
def test_both_keys_open_and_a_regenerated_one_opens_no_more(system: System, credit: str) -> None:
    secondary = system.key(credit, "secondaryKey")
    with system.client(credit) as client:
        bearer = {"Authorization": f"Bearer {secondary}"}
        assert client.post("score", json=1, headers=bearer).status_code == 200

        system.run("online-endpoint", "regenerate-keys", "-n", credit, "--key-type", "secondary")

        assert client.post("score", json=1, headers=bearer).status_code == 401
        assert client.post("score", json=1).status_code == 200


def test_exception_in_run_is_the_models_error(system: System, credit: str) -> None:
    with system.client(credit) as client:
        response = client.post("score", content=b"not json")

    assert response.status_code == 424
    assert response.headers["ms-azureml-model-error-statuscode"] == "500"
    assert response.headers["ms-azureml-model-error-reason"] == "model_error"
    assert response.headers["x-ms-run-function-failed"] == "True"


def test_split_follows_the_weights(system: System, credit: str) -> None:
    system.split(credit, "blue=50 green=50")
    with system.client(credit) as client:
        who = [client.post("score", json=1).json()["who"] for _ in range(200)]
    system.split(credit, "blue=100")

    # 200 fair coins: outside 60..140 once in a hundred million runs
    assert 60 <= who.count("green") <= 140


def test_switching_under_load_loses_nothing(system: System, credit: str) -> None:
    with system.load(credit) as load:
        for name in ("green", "blue") * 5:
            system.split(credit, f"{name}=100")
            load.more(20)

    assert set(load.statuses) == {"200"}
    assert set(load.who) == {"blue", "green"}


@pytest.mark.azure(65)
def test_update_of_the_script_under_load_loses_nothing(system: System) -> None:
    system.serving("rolling", "blue")
    changed = system.deployment("rolling", "blue", score=SCORE.replace('"who": name', '"who": 2'))
    with system.load("rolling") as load:
        system.run("online-deployment", "update", "-f", str(changed))
    with system.client("rolling") as client:
        assert client.post("score", json=1).json()["who"] == 2

    assert set(load.statuses) == {"200"}


@pytest.mark.azure(63)
def test_scaling_keeps_what_runs(system: System) -> None:
    system.serving("scaled", "blue")
    before = system.instances("scaled")

    system.run(
        *("online-deployment", "update", "-e", "scaled", "-n", "blue"),
        *("--set", "instance_count=3"),
    )
    grown = system.instances("scaled")
    system.run(
        *("online-deployment", "update", "-e", "scaled", "-n", "blue"),
        *("--set", "instance_count=1"),
    )

    assert len(grown) == 3
    assert {i: grown[i]["pid"] for i in before} == {i: before[i]["pid"] for i in before}
    eventually(lambda: len(system.instances("scaled")) == 1)


def test_request_over_its_timeout_is_408_and_stands_in_nobodys_way(system: System) -> None:
    system.run("online-endpoint", "create", "-n", "slow")
    slow = "import time\ndef init(): ...\ndef run(raw_data):\n    time.sleep(float(raw_data))\n"
    path = system.deployment(
        "slow", "blue", score=slow, extra="request_settings: {request_timeout_ms: 1000}\n"
    )
    system.run("online-deployment", "create", "-f", str(path), "--all-traffic")
    with system.client("slow") as client:
        response = client.post("score", json=3600)
        after = client.post("score", json=0)

    assert response.status_code == 408
    assert response.json()["error"]["code"]
    assert after.status_code == 200


def test_any_path_below_the_base_reaches_the_instance(system: System, credit: str) -> None:
    with system.client(credit) as client:
        response = client.get("v2/health/ready")

    assert response.status_code == 424
    assert response.headers["ms-azureml-model-error-statuscode"] == "404"


def test_unknown_endpoint_is_404(system: System, credit: str) -> None:
    with system.client(credit) as client:
        url = str(client.base_url).replace(credit, "nobody")
        response = client.post(f"{url}score", json=1)

    assert response.status_code == 404


def test_control_api_needs_the_token(system: System) -> None:
    address = (system.home / "run" / "address").read_text().strip()
    with httpx.Client(base_url=address, verify=system.trust()) as client:
        response = client.get("/verdazul/v1/status")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "Unauthorized"


def test_no_key_and_no_token_stand_in_any_log_or_gateway_file(system: System, credit: str) -> None:
    secrets = [system.key(credit).encode(), (system.home / "token").read_bytes().strip()]

    found = [
        path
        for folder in ("logs", "gateway", "instances", "run")
        for path in (system.home / folder).rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets)
    ]

    assert found == []
