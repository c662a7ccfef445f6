"""`--vscode-debug` without VS Code: its debug adapter is driven as the editor drives it."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import CONDA, VERDAZUL, eventually
from tests.e2e.test_local import Desk, desk

__all__ = ["desk"]
pytestmark = pytest.mark.e2e
SCORE = """def init():
    pass

def run(raw):
    answer = {"stopped": "here"}
    return answer
"""
_LONGEST_SECONDS = 120
BREAK_AT = 6  # `return answer`


class Adapter:
    """debugpy's adapter, over stdin and stdout: what VS Code starts when F5 is pressed."""

    def __init__(self, python: Path) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "debugpy.adapter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._asked = 0
        self._longest = threading.Timer(_LONGEST_SECONDS, self.process.kill)  # no read hangs
        self._longest.start()

    def ask(self, command: str, **arguments: Any) -> None:
        self._asked += 1
        body = {"seq": self._asked, "type": "request", "command": command, "arguments": arguments}
        content = json.dumps(body).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self.process.stdin.flush()

    def until(self, kind: str, name: str) -> dict[str, Any]:
        """The next message of that kind: an event, or the response to a command."""
        while True:
            said = self._read()
            if said["type"] == kind and said.get("event", said.get("command")) == name:
                return said

    def end(self) -> None:
        self._longest.cancel()
        self.process.kill()
        self.process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            if found := re.fullmatch(rb"Content-Length: (\d+)", line):
                length = int(found[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


@pytest.fixture
def files(desk: Desk) -> Iterator[Path]:
    """The folder in which the command keeps what belongs to the deployment."""
    (desk.folder / "src" / "score.py").write_text(SCORE)
    (desk.folder / "conda.yml").write_text(CONDA)
    yield desk.folder / ".azureml" / "inferencing" / "debugged" / "blue"
    desk.run("online-endpoint", "delete", "-n", "debugged", "--local", "-y")


def python_of(desk: Desk) -> Path:
    images = (desk.folder / "h" / "engine" / "images").glob("*.json")
    return Path(
        json.loads(max(images, key=lambda file: file.stat().st_mtime).read_text())["python"]
    )


@pytest.mark.azure(111, 112)
def test_a_breakpoint_in_the_scoring_script_holds(desk: Desk, files: Path) -> None:
    words = ("online-deployment", "create", "--local", "--vscode-debug", "-o", "none")
    file = desk.deployment("blue", endpoint="debugged")
    creating = subprocess.Popen(
        [VERDAZUL, *words, "-f", file],
        cwd=desk.folder,
        env=desk.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    workspace = files / "blue.code-workspace"
    eventually(workspace.exists)
    [launch] = json.loads(workspace.read_text())["launch"]["configurations"]
    assert launch["name"] == "AzureML: Debug Local Endpoint"

    adapter = Adapter(python_of(desk))
    adapter.ask("initialize", adapterID="debugpy", linesStartAt1=True, pathFormat="path")
    adapter.until("response", "initialize")
    adapter.ask("attach", **launch)
    adapter.until("event", "initialized")
    script = {"path": str(desk.folder / "src" / "score.py")}
    adapter.ask("setBreakpoints", source=script, breakpoints=[{"line": BREAK_AT}])
    assert adapter.until("response", "setBreakpoints")["body"]["breakpoints"][0]["verified"]
    adapter.ask("configurationDone")
    _, told = creating.communicate(timeout=60)
    assert creating.returncode == 0, told

    call = ("online-endpoint", "invoke", "--local", "-n", "debugged", "-r", "request.json")
    calling = subprocess.Popen(
        [VERDAZUL, *call, "-o", "tsv"], cwd=desk.folder, env=desk.environ, stdout=subprocess.PIPE
    )
    stopped = adapter.until("event", "stopped")["body"]
    assert stopped["reason"] == "breakpoint"
    adapter.ask("stackTrace", threadId=stopped["threadId"])
    frame = adapter.until("response", "stackTrace")["body"]["stackFrames"][0]
    assert (frame["source"]["path"], frame["line"]) == (script["path"], BREAK_AT)
    adapter.ask("continue", threadId=stopped["threadId"])

    answer, _ = calling.communicate(timeout=60)
    assert json.loads(answer) == {"stopped": "here"}
    adapter.end()
