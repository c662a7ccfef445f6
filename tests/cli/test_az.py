"""`az`, as the shim runs it: what endpoint scripts call is answered, all else refused by name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.arm_server import Api, Reply
from tests.cli.conftest import Ran, Run

from verdazul.cli.az import front, shim
from verdazul.core.trust import HOME_OWNER
from verdazul.model.errors import Problem

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def az(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    monkeypatch.setenv("VERDAZUL_HOME", str(home))

    def run(*words: str) -> Ran:
        code = front.run(words)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def test_az_ml_is_verdazul(api: Api, az: Run) -> None:
    created = az("ml", "online-endpoint", "create", "-n", "credit", "-g", "local", "-w", "verdazul")
    shown = az("ml", "online-endpoint", "show", "-n", "credit", "--query", "name", "-o", "tsv")

    assert (created.code, created.json["provisioning_state"]) == (0, "Succeeded")
    assert shown.out == "credit\n"
    assert api.requests("PUT", "onlineEndpoints/credit")


def test_help_speaks_of_az(az: Run) -> None:
    out = az("ml", "online-endpoint", "show", "--help").out

    assert "  az ml online-endpoint show -n credit" in out
    assert "verdazul online" not in out
    assert "not served here" in out
    assert "  az role assignment create " in az("role", "assignment", "create", "--help").out
    assert "  az configure --defaults " in az("configure", "--help").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["network", "vnet", "list"], "`az network` is not served: a home has no virtual network"),
        (["acr", "build", "-t", "x", "."], "there is no container registry"),
        (["keyvault", "create", "-n", "x"], "`az ml connection create`"),
        (["cdn", "list"], "this az is Verdazul's and knows ml, account"),
        (["config", "set", "--local", "defaults.group=local"], "--local is not supported"),
        (["storage", "account", "list"], "there is no 'account'"),
        (["monitor", "autoscale", "create"], "there is no 'autoscale'"),
        (["ml", "job", "create"], "there is no 'job'"),
        (["ml", "online-endpoint", "shwo"], "did you mean show?"),
        (["account", "clear"], "there is no 'clear'"),
        (["login", "--certificate", "x"], "--certificate is not supported"),
        (["ad", "group", "list"], "there is no 'group'"),
        (["group", "create", "-n", "local", "--tags", "a=b"], "--tags is not supported yet"),
    ],
)
def test_what_it_does_not_know_exits_2_and_is_named(
    api: Api, az: Run, words: list[str], told: str
) -> None:
    ran = az(*words)

    assert (ran.code, ran.out, api.seen) == (2, "", [])
    assert told in ran.err


def test_the_group_to_show_may_be_the_default(az: Run) -> None:
    unnamed = az("group", "show")
    az("configure", "--defaults", "group=local")
    shown = az("group", "show", "--query", "name", "-o", "tsv")

    assert (unnamed.code, shown.out) == (2, "local\n")
    assert "--name/--resource-group" in unnamed.err


def test_codes_above_azs_are_1_and_not_found_is_3(api: Api, az: Run) -> None:
    api.next_problem = Problem("BadScript", "it has no run()")
    failed = az("ml", "online-endpoint", "create", "-n", "credit")
    api.answer_next("GET", "nobody", Reply(500))
    broken = az("ml", "online-endpoint", "show", "-n", "nobody")
    absent = az("ml", "online-endpoint", "show", "-n", "nobody")

    assert (failed.code, broken.code, absent.code) == (1, 1, 3)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["account", "show", "--query", "id"], SUBSCRIPTION),
        (["account", "show", "--query", "environmentName"], "Verdazul"),
        (["account", "list", "--query", "[?isDefault].id"], SUBSCRIPTION),
        (["account", "list-locations", "--query", "[].name"], "local"),
        (["account", "show", "--query", "user.name"], "owner"),
        (["account", "show", "--query", "tenantId"], "adfs"),
        (["login", "--identity", "--query", "[].id"], SUBSCRIPTION),
        (["ad", "signed-in-user", "show", "--query", "id"], HOME_OWNER),
        (["version", "--query", "extensions.ml"], "2.39.0"),
        (["extension", "show", "-n", "ml", "--query", "name"], "ml"),
        (["extension", "list", "--query", "[].name"], "ml"),
        (["group", "show", "-n", "local", "--query", "name"], "local"),
        (["group", "create", "-n", "LOCAL", "-l", "local", "--query", "location"], "local"),
        (["group", "list", "--query", "[].name"], "local"),
        (["group", "exists", "-n", "other"], "false"),
        (["group", "exists", "-g", "local"], "true"),
        (["ml", "workspace", "show", "--query", "name"], "verdazul"),
        (["ml", "workspace", "show", "-n", "VERDAZUL", "--query", "location"], "local"),
        (["ml", "workspace", "show", "--query", "contains(key_vault, 'vaults')"], "true"),
        (["ml", "workspace", "list", "--query", "[].display_name"], "verdazul"),
        (["ml", "workspace", "create", "-n", "Verdazul", "-l", "LOCAL", "--query", "name"],
         "verdazul"),
    ],
)  # fmt: skip
def test_what_scripts_ask_for_is_told(az: Run, words: list[str], out: str) -> None:
    ran = az(*words, "-o", "tsv")

    assert (ran.code, ran.out, ran.err) == (0, f"{out}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["account", "set", "--subscription", SUBSCRIPTION],
        ["account", "set", "-s", "verdazul"],
        ["extension", "add", "-n", "ml", "-y"],
        ["extension", "add", "--name", "ml", "--version", "2.39.0"],
        ["extension", "update", "-n", "ml"],
        ["extension", "remove", "-n", "ml"],
        ["configure", "--defaults", "group=local", "workspace=verdazul", "location=local"],
        ["logout"],
    ],
)
def test_what_scripts_begin_with_is_accepted_without_data(az: Run, words: list[str]) -> None:
    ran = az(*words)

    assert (ran.code, ran.out) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["account", "set", "-s", "prod"], 1, "VERDAZUL_SUBSCRIPTION=prod verdazul up"),
        (["account", "show", "-s", "prod"], 1, "'prod' doesn't exist here"),
        (["extension", "add", "-n", "k8s-extension"], 1, "k8s-extension is not installed"),
        (["extension", "add", "-n", "ml", "--version", "1.0"], 1, "ml 1.0 cannot be had"),
        (["configure", "--defaults", "workspace=prod"], 1, "VERDAZUL_WORKSPACE=prod"),
        (["group", "create", "-n", "prod"], 1, "VERDAZUL_RESOURCE_GROUP=prod"),
        (["group", "create", "-n", "local", "-l", "mars"], 1, "VERDAZUL_LOCATION=mars"),
        (["group", "show", "-n", "prod"], 3, "'prod' could not be found"),
        (["group", "delete", "-n", "local", "--yes", "--no-wait"], 1, "is the home"),
        (["ml", "workspace", "show", "-n", "prod"], 1, "VERDAZUL_WORKSPACE=prod"),
        (["ml", "workspace", "list", "-g", "prod"], 1, "VERDAZUL_RESOURCE_GROUP=prod"),
        (["ml", "workspace", "create", "-n", "prod"], 1, "VERDAZUL_WORKSPACE=prod"),
        (
            ["ml", "workspace", "create", "-n", "verdazul", "-l", "mars"],
            1,
            "VERDAZUL_LOCATION=mars",
        ),
        (["ml", "workspace", "create", "-l", "local"], 2, "--name"),
        (["ml", "workspace", "create", "-n", ""], 2, "-n/--name/-w/--workspace-name: it is empty"),
        (["ml", "workspace", "create", "-n", "verdazul", "-l", ""], 2, "it is empty"),
        (["ml", "workspace", "delete", "-n", "", "--yes"], 2, "it is empty"),
        (
            ["ml", "workspace", "create", "-n", "verdazul", "-f", "w.yml"],
            2,
            "-f is not supported",
        ),
        (["ml", "workspace", "delete", "-n", "verdazul", "--yes"], 1, "is the home"),
        (["ml", "workspace", "delete", "-n", "prod", "--yes"], 1, "VERDAZUL_WORKSPACE=prod"),
    ],
)
def test_what_is_not_this_home_is_refused(az: Run, words: list[str], code: int, told: str) -> None:
    ran = az(*words)

    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err


@pytest.mark.parametrize(
    ("words", "resource"),
    [
        ([], None),
        (["--resource", "https://management.azure.com/"], None),
        (["--scope", "https://management.azure.com/.default"], None),
        (["--resource-type", "arm", "-s", SUBSCRIPTION], None),
        (["--resource", "https://ml.azure.com"], "https://ml.azure.com"),
    ],
)
def test_a_token_that_expires_is_made_for_curl(
    api: Api, az: Run, words: list[str], resource: str | None
) -> None:
    told = az("account", "get-access-token", *words).json

    (asked,) = api.requests("GET", "/msi/token")
    assert asked.query["resource"] == [resource or api.address]
    assert (told["accessToken"], told["tokenType"]) == ("owner-token-ff66", "Bearer")
    assert (told["expires_on"], told["expiresOn"][:8]) == (300, "1970-01-")


def test_the_shim_runs_by_itself_in_the_home_it_was_made_for(
    api: Api, run: Run, home: Path, tmp_path: Path
) -> None:
    made = run("az", "install-shim", str(tmp_path / "my bin"))
    file = Path(made.json["path"])
    clean = {"PATH": f"{file.parent}:/usr/bin:/bin"}

    done = subprocess.run(
        ["/bin/sh", "-c", "az ml online-endpoint list"],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
    assert f"export PATH='{file.parent}':$PATH" in made.err
    assert api.requests("GET", "onlineEndpoints")
    assert str(home) in file.read_text()


def test_the_shim_replaces_itself_but_no_other_az(run: Run, tmp_path: Path) -> None:
    assert run("az", "install-shim", str(tmp_path)).code == 0
    assert run("az", "install-shim", str(tmp_path)).code == 0
    (tmp_path / "az").write_text("#!/bin/sh\n# Azure's own\n")

    refused = run("az", "install-shim", str(tmp_path))
    forced = run("az", "install-shim", str(tmp_path), "--force")

    assert (refused.code, forced.code) == (1, 0)
    assert "is not Verdazul's" in refused.err


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ran = run("az", "install-shim", str(tmp_path / "file"))

    assert ran.code == 1
    assert "cannot write" in ran.err


def test_azures_own_az_is_told_where_there_is_one(
    az: Run, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, ours = tmp_path / "own", tmp_path / "ours"
    own.mkdir()
    (own / "az").write_text("#!/bin/sh\n")
    (own / "az").chmod(0o755)
    run("az", "install-shim", str(ours))
    monkeypatch.setenv("PATH", os.pathsep.join([str(ours), str(own)]))

    found: Any = shim.azures_own()

    assert found == str(own / "az")
    assert f"Azure's own az is {own}/az" in az("network").err
