"""The activity log as people read it, and through kills of what writes it."""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.e2e.system import VERDAZUL, System, kill

pytestmark = pytest.mark.e2e


def test_what_exists_was_written_down_whenever_the_control_plane_is_killed(
    own_system: System,
) -> None:
    for n in range(4):
        name = f"credit{n}"
        create = subprocess.Popen(
            [VERDAZUL, "online-endpoint", "create", "-n", name, "--home", str(own_system.home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if n % 2:  # killed whenever that is: before, while or after it is accepted
            assert create.stdout
            create.stdout.readline()
            kill(own_system.pid_of("control"))
            own_system.up()
        create.communicate(timeout=120)

    there = {one["name"] for one in own_system.run("online-endpoint", "list").data}
    events = own_system.run("monitor", "activity-log", "list", "--max-events", "200").data
    made = {event["resourceId"].rpartition("/")[2] for event in events}
    assert {"credit0", "credit2"} <= there <= made


def test_a_script_for_azure_reads_it(own_system: System, tmp_path: Path) -> None:
    own_system.run("az", "install-shim", str(tmp_path / "bin"))
    script = """
    set -e
    az ml online-endpoint create -n credit >/dev/null
    az ml online-endpoint update -n credit --set tags.team=risk >/dev/null
    az monitor activity-log list --offset 1h --max-events 1 --resource-id "$(
        az ml online-endpoint show -n credit --query id -o tsv)"
    """
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "VERDAZUL_HOME": str(own_system.home),
    }
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - whatever bash there is
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (event,) = json.loads(done.stdout)
    (change,) = json.loads(event["properties"]["changes"])
    assert (change["property"], change["after"]) == ("tags.team", '"risk"')
    assert (event["caller"], event["status"]["value"]) == ("owner", "Succeeded")
    assert ip_address(event["httpRequest"]["clientIpAddress"])
