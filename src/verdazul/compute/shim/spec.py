"""What a shim is asked to do, as the control plane wrote it down."""

from __future__ import annotations

import json


class Spec:
    """What to run and where to write about it. Text is JSON, or the path of a file with it."""

    def __init__(self, text: str) -> None:
        if not text.startswith("{"):
            with open(text, encoding="utf-8") as file:  # noqa: PTH123 - pathlib loads slowly
                text = file.read()
        raw = json.loads(text)
        self.argv: list[str] = raw["argv"]
        self.env: dict[str, str] | None = raw.get("env")
        self.cwd: str | None = raw.get("cwd")
        self.home: str | None = raw.get("home")
        self.folder: str | None = raw.get("folder")
        self.socket: str | None = raw.get("socket")
        self.port: int | None = raw.get("port")  # of loopback instead of a socket; 0: any free one
        self.log: str = raw["log"]
        self.rows: str | None = raw.get("rows")  # where stdout goes, if not into the log
        self.log_bytes: int = raw["log_bytes"]
        self.log_files: int = raw["log_files"]
        self.grace_seconds: float = raw["grace_seconds"]
        self.groups: list[str] = raw.get("groups") or []
        self.oom_file: str | None = raw.get("oom_file")
        self.attempt: int = raw.get("attempt", 1)
        self.is_isolated: bool = raw.get("is_isolated", False)
        self.lock_fd: int | None = raw.get("lock_fd")
