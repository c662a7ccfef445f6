"""`verdazul env`: what it prints is read back by the shells and by Python as it was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.arm_server import TOKEN, Api
from tests.cli.conftest import Run

from verdazul.cli import env, render
from verdazul.cli.main import main
from verdazul.home import Home
from verdazul.model.errors import UserError

SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "pwsh"}
PRINT = {"powershell": "[Console]::Write($env:NAME)"}
VERDAZUL = Path(sys.executable).with_name("verdazul")
_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))


def test_it_names_all_that_azures_own_clients_read(api: Api, run: Run, home: Path) -> None:
    told = run("env", "-o", "json").json

    assert told["ARM_CLOUD_METADATA_URL"] == (
        f"{api.address}/metadata/endpoints?api-version=2022-09-01"
    )
    assert told["IDENTITY_ENDPOINT"] == f"{api.address}/msi/token"
    assert told["IDENTITY_HEADER"] == TOKEN
    assert "AZURE_AUTHORITY_HOST" not in told  # there is no TLS here: azure-identity would fail
    bundles = {told[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")}
    assert bundles == {str(home / "certs" / "ca-bundle.pem")}
    assert told["AZURE_SUBSCRIPTION_ID"] == "00000000-0000-0000-0000-000000000000"
    assert (told["AZURE_DEFAULTS_GROUP"], told["AZURE_DEFAULTS_WORKSPACE"]) == ("local", "verdazul")


def test_with_tls_it_names_the_issuer(run: Run, home: Path) -> None:
    (home / "run" / "address").write_text("https://localhost:8443")

    told = run("env", "-o", "json").json

    assert told["AZURE_AUTHORITY_HOST"] == "https://localhost:8443"
    assert told["AZURE_CORE_INSTANCE_DISCOVERY"] == "false"


def test_it_names_the_workspace_with_which_the_home_was_started(run: Run, home: Path) -> None:
    Home(home).keep_names({"resource_group": "risk", "workspace": "credit-ws"})

    told = run("env", "-o", "json").json

    assert (told["AZURE_DEFAULTS_GROUP"], told["AZURE_DEFAULTS_WORKSPACE"]) == ("risk", "credit-ws")


def test_eval_of_its_output_leads_the_next_command_to_the_home(
    run: Run, api: Api, home: Path
) -> None:
    (home / "certs").mkdir()
    for name in ("trust.pem", "ca-bundle.pem"):
        shutil.copy(certifi.where(), home / "certs" / name)
    script = f"{run('env').out}\nexec {VERDAZUL} online-endpoint list -o json"

    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], "")
    assert api.requests("GET", "onlineEndpoints")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_back_any_value(shell: str) -> None:
    program = shutil.which(SHELLS[shell])
    if not program:
        pytest.skip(f"{SHELLS[shell]} is not installed")

    @given(_texts)
    @settings(max_examples=20, deadline=None)
    def check(value: str) -> None:
        line = env._SHELLS[shell]({"NAME": value})
        script = line + "\n" + PRINT.get(shell, 'printf %s "$NAME"')
        done = subprocess.run([program, "-c", script], capture_output=True, check=True)
        assert done.stdout.decode() == value

    check()


@given(_texts)
def test_python_reads_back_any_value(value: str) -> None:
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE")
    told = {**dict.fromkeys(names, "x"), "NAME": value}
    seen: dict[str, str] = {}

    code = env._python(told).replace("os.environ.update", "seen.update")
    exec(code, {"seen": seen})  # noqa: S102 - this is what a notebook does

    assert seen == told


def test_the_python_form_tells_how_the_sdk_is_called(run: Run) -> None:
    out = run("env", "--python").out

    assert "DefaultAzureCredential(), '00000000-0000-0000-0000-000000000000', 'local'" in out
    compile(out, "env", "exec")


def test_a_value_with_a_line_end_is_refused() -> None:
    with pytest.raises(UserError, match="VERDAZUL_HOME would hold a line end"):
        env._posix({"VERDAZUL_HOME": "a\nb"})


def test_a_person_at_a_terminal_is_told_that_it_holds_a_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("env").err == ""
    monkeypatch.setattr(render, "is_watched", lambda: True)

    assert "IDENTITY_HEADER is a secret" in run("env").err


def test_before_the_first_start_it_says_how_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["env", "--home", str(tmp_path)])

    captured = capsys.readouterr()
    assert (code, captured.out) == (4, "")
    assert "verdazul up" in captured.err
