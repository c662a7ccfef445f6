"""Keys, our tokens, and tokens of an issuer, on a real system by its command alone."""

from __future__ import annotations

import json

import pytest

from tests.e2e.system import System, eventually
from tests.gateway.token_kit import AUDIENCE, RsaIssuer
from verdazul.core.jwks import key_set

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def credit(system: System) -> str:
    system.serving("credit", "blue")
    return "credit"


def credentials(system: System, endpoint: str) -> dict[str, str]:
    told: dict[str, str] = system.run("online-endpoint", "get-credentials", "-n", endpoint).data
    return told


def status_with(system: System, endpoint: str, credential: str) -> int:
    with system.client(endpoint, credential=credential) as client:
        return client.post("score", json=1).status_code


@pytest.mark.azure(35, 36)
def test_both_keys_are_replaced_under_load_without_a_failed_call(
    system: System, credit: str
) -> None:
    """As Azure says to: move to the secondary key, renew the primary; then the other way round."""
    before = credentials(system, credit)
    loads = []
    for held, renewed in (("secondaryKey", "primary"), ("primaryKey", "secondary")):
        with system.load(credit, credential=credentials(system, credit)[held]) as load:
            system.run("online-endpoint", "regenerate-keys", "-n", credit, "--key-type", renewed)
            load.more(50)
        loads.append(load)
    after = credentials(system, credit)

    assert [set(load.statuses) for load in loads] == [{"200"}, {"200"}]
    assert set(before.values()).isdisjoint(after.values())
    told = {key: status_with(system, credit, key) for key in (*before.values(), *after.values())}
    assert [told[key] for key in before.values()] == [401, 401]
    assert [told[key] for key in after.values()] == [200, 200]


@pytest.mark.azure(37, 38, 39, 41)
def test_an_endpoint_is_opened_by_what_its_mode_says_and_nothing_restarts(
    system: System, credit: str
) -> None:
    issuer = RsaIssuer("urn:issuer")
    (system.home / "keys.json").write_text(key_set([issuer.jwk()]))
    listed = {"issuer": issuer.url, "audiences": [AUDIENCE], "jwks_file": "keys.json"}
    (system.home / "issuers.yml").write_text(json.dumps({"issuers": [listed]}))
    key = credentials(system, credit)["primaryKey"]
    alice = issuer.token(oid="alice")
    instances = system.instances(credit)

    system.run("online-endpoint", "update", "-n", credit, "--set", "auth_mode=aml_token")
    made = credentials(system, credit)
    refused = system.run("online-endpoint", "regenerate-keys", "-n", credit, code=1)
    by_token = [status_with(system, credit, one) for one in (made["accessToken"], key, alice)]

    system.run("online-endpoint", "update", "-n", credit, "--set", "auth_mode=aad_token")
    eventually(lambda: status_with(system, credit, alice) == 403)
    owner = credentials(system, credit)
    as_owner = status_with(system, credit, owner["accessToken"])
    system.run(
        "role", "assignment", "create", "--assignee", "alice", "--role", "Contributor", "-e", credit
    )
    eventually(lambda: status_with(system, credit, alice) == 200)
    by_role = [status_with(system, credit, one) for one in (made["accessToken"], key, alice)]
    system.run("role", "assignment", "delete", "--assignee", "alice", "-e", credit)
    eventually(lambda: status_with(system, credit, alice) == 403)

    system.run("online-endpoint", "update", "-n", credit, "--set", "auth_mode=key")
    by_key = [status_with(system, credit, one) for one in (made["accessToken"], key, alice)]

    assert set(made) == {"accessToken", "expiryTimeUtc", "refreshAfterTimeUtc", "tokenType"}
    assert (set(owner), as_owner) == ({"accessToken", "expiryTimeUtc"}, 200)
    assert "does not use keys for authentication." in refused.err
    assert (by_token, by_role, by_key) == ([200, 401, 401], [401, 401, 200], [401, 200, 401])
    assert system.instances(credit) == instances


@pytest.mark.azure(38)
def test_tokens_outlive_a_restart_and_end_with_their_endpoint(system: System, credit: str) -> None:
    system.run("online-endpoint", "update", "-n", credit, "--set", "auth_mode=aml_token")
    token = credentials(system, credit)["accessToken"]
    system.down()
    system.up()
    eventually(lambda: status_with(system, credit, token) == 200)

    request = system.write("request.json", "[1]")
    invoked = system.run("online-endpoint", "invoke", "-n", credit, "-r", str(request))
    system.run("online-endpoint", "delete", "-n", credit, "--yes")
    system.run("online-endpoint", "create", "-n", credit, "--auth-mode", "aml_token")
    old = status_with(system, credit, token)
    new = status_with(system, credit, credentials(system, credit)["accessToken"])

    assert json.loads(invoked.data)["echo"] == [1]
    assert (old, new) == (401, 404)
    secrets = [path.read_text(errors="replace") for path in system.home.rglob("*.log")]
    assert not [text for text in secrets if token in text]


@pytest.mark.azure(39, 41)
def test_the_control_api_knows_the_identities_of_an_issuer_outside(system: System) -> None:
    issuer = RsaIssuer("urn:control")
    (system.home / "control-keys.json").write_text(key_set([issuer.jwk()]))
    listed = {"issuer": issuer.url, "audiences": [AUDIENCE], "jwks_file": "control-keys.json"}
    (system.home / "issuers.yml").write_text(json.dumps({"issuers": [listed]}))
    address = (system.home / "run" / "address").read_text().strip()

    def told(**claims: object) -> tuple[int, str]:
        with system.client("none", credential=issuer.token(**claims)) as client:
            answer = client.get(f"{address}/verdazul/v1/status")
        return answer.status_code, answer.text

    eventually(lambda: told(aud="https://management.azure.com")[0] == 403)
    status, text = told(aud=address, oid="somebody-without-a-role")
    assert status == 403
    assert "somebody-without-a-role" in text
    assert told(aud=AUDIENCE)[0] == 401
    assert told(aud=address, exp=1)[0] == 401
    assert told(aud=address, iss="urn:nobody")[0] == 401
