"""azure-identity, unmodified, gets its tokens from the home, by variables alone where it can.

And what the home knows of people and programs is there again after its control plane was killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.azure_sdk.environments import interpreter
from tests.e2e.system import VERDAZUL, System, kill, running

pytestmark = [pytest.mark.e2e, pytest.mark.azure(39, 41)]
_PROGRAM = Path(__file__).with_name("credentials.py")
_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
_PERSON, _PASSWORD = "alice@example.com", "correct horse"
SCRIPT = """
set -eu
az login --service-principal --username "$APP" --password "$SECRET" --tenant adfs --output none
az account show --query user.name --output tsv
id=$(az ad signed-in-user show --query id --output tsv)
token=$(az account get-access-token --query accessToken --output tsv)
echo "$id" "${#token}"
az logout
az account show --query user.name --output tsv
az login --identity --query "[].state" --output tsv
az ad sp delete --id "$APP"
az login --service-principal -u "$APP" -p "$SECRET" -t adfs --only-show-errors || echo refused
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A home with an endpoint, a program and a person, and their ids."""

    system: System
    address: str
    program: dict[str, str]
    program_id: str
    person_id: str

    def told(self) -> dict[str, Any]:
        """What Azure's credentials came to; at the command line, the program is logged in."""
        made, shim = self.program, self.system.files / "bin"
        self.system.run("az", "install-shim", str(shim))
        how = ("--service-principal", "-u", made["appId"], "-p", made["password"])
        self.system.run("login", *how)
        try:
            return self._told(f"{shim}:{os.environ['PATH']}")
        finally:
            self.system.run("logout")

    def _told(self, path: str) -> dict[str, Any]:
        trust = str(self.system.home / "certs" / "ca-bundle.pem")
        endpoint = f"{self.address}/api/v1/endpoint/guarded/score"
        done = subprocess.run(
            [interpreter("new"), _PROGRAM, endpoint],
            env={
                "PATH": path,
                "HOME": str(self.system.files),
                "ARM_CLOUD_METADATA_URL": f"{self.address}/metadata/endpoints?api-version=1",
                "REQUESTS_CA_BUNDLE": trust,
                "AZURE_AUTHORITY_HOST": self.address,
                "AZURE_TENANT_ID": self.program["tenant"],
                "AZURE_CLIENT_ID": self.program["appId"],
                "AZURE_CLIENT_SECRET": self.program["password"],
                "PERSON": _PERSON,
                "PASSWORD": _PASSWORD,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    folder = tmp_path_factory.mktemp("v")
    with running(folder) as system:
        system.files.mkdir(exist_ok=True)
        create = ("online-endpoint", "create", "-n", "guarded", "--auth-mode", "aad_token")
        system.run(*create)
        program = system.run("ad", "sp", "create-for-rbac", "-n", "ci").data
        names = ("--display-name", "Alice", "--user-principal-name", _PERSON)
        person = system.run("ad", "user", "create", *names, "--password", _PASSWORD).data
        assign = ("role", "assignment", "create", "--role", "AzureML Data Scientist")
        given = system.run(*assign, "--assignee", program["appId"], "-e", "guarded").data
        address = (system.home / "run" / "address").read_text().strip()
        yield Known(system, address, program, given["principalId"], person["id"])


@pytest.fixture(scope="module")
def told(known: Known) -> dict[str, Any]:
    return known.told()


def test_azures_credentials_work_unmodified_and_roles_decide(
    known: Known, told: dict[str, Any]
) -> None:
    for name in ("variables alone", "by its id", "through az"):
        assert told[f"{name}: holder"] == known.program_id
        assert told[f"{name}: scored"] == 404  # let in; there is no deployment
        assert told[f"{name}: asked"] == "listed 1"
    for name in ("a person", "a browser"):
        assert told[f"{name}: holder"] == known.person_id
        assert told[f"{name}: scored"] == 403
        assert known.person_id in told[f"{name}: asked"]
    assert "AADSTS7000215" in told["a guess"]


def begun(client: httpx.Client) -> dict[str, Any]:
    form = {"client_id": _CLI, "scope": "https://management.azure.com/.default"}
    told: dict[str, Any] = client.post("/adfs/oauth2/v2.0/devicecode", data=form).json()
    return told


def allow(client: httpx.Client, code: str) -> None:
    """What a person does in a browser."""
    page = client.post("/devicelogin", data={"code": code}).text
    ticket = re.findall(r'name="ticket" value="([^"]+)"', page)[0]
    form = {"ticket": ticket, "user": _PERSON, "password": _PASSWORD}
    assert "You are logged in" in client.post("/devicelogin", data=form).text


def redeemed(client: httpx.Client, code: str) -> dict[str, Any]:
    form = {"grant_type": "device_code", "client_id": _CLI, "device_code": code}
    told: dict[str, Any] = client.post("/adfs/oauth2/v2.0/token", data=form).json()
    return told


def test_identities_survive_a_killed_control_plane(known: Known) -> None:
    system, made = known.system, known.program
    entering = ("login", "--service-principal", "-u", made["appId"], "-p", made["password"])
    control = system.pid_of("control")
    system.run(*entering)
    token = system.run("account", "get-access-token").data["accessToken"]
    with httpx.Client(base_url=known.address, verify=system.trust(), timeout=30) as client:
        code = begun(client)
        kill(control)
        system.up()
        allow(client, code["user_code"])
        assert redeemed(client, code["device_code"])["token_type"] == "Bearer"

    assert system.run("account", "get-access-token").data["accessToken"] == token
    assert system.run(*entering).code == 0
    system.run("logout")
    assert [one["appId"] for one in system.run("ad", "sp", "list").data] == [made["appId"]]
    with system.client("guarded", credential=token) as client:
        assert client.post("score", json=1).status_code == 401  # it is for the control API


@pytest.mark.usefixtures("told")
def test_no_secret_is_written_in_the_clear_and_none_is_logged(known: Known) -> None:
    written = b"".join(path.read_bytes() for path in known.system.home.rglob("*") if path.is_file())

    assert known.program["password"].encode() not in written
    assert _PASSWORD.encode() not in written
    assert known.program["appId"].encode() in written


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_a_script_logs_in_and_out_as_it_does_in_azure(known: Known, tmp_path: Path) -> None:
    system = known.system
    system.run("az", "install-shim", str(tmp_path))
    made = system.run("ad", "sp", "create-for-rbac", "-n", "script").data
    id_ = system.run("ad", "sp", "show", "--id", made["appId"]).data["id"]

    done = subprocess.run(
        ["/bin/bash", "-c", f'eval "$({VERDAZUL} env)"; {SCRIPT}'],
        env={
            "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
            "VERDAZUL_HOME": str(system.home),
            "APP": made["appId"],
            "SECRET": made["password"],
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    name, who, owner, state, refused = done.stdout.splitlines()
    assert (name, owner, state, refused) == (made["appId"], "owner", "Enabled", "refused")
    assert who.split()[0] == id_
    assert "AADSTS700016" in done.stderr
