"""What every command starts from: settings, the output format, and a way to the server.

A command's story is: read files (mistakes there cost no request), open `work`, ask, `settle`, and
show the result after the progress line is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verdazul.cli import render
from verdazul.cli.grammar import Arguments
from verdazul.cli.progress import Progress, progress
from verdazul.model.errors import UserError, VerdazulError
from verdazul.settings import Settings

if TYPE_CHECKING:  # httpx takes longer to import than --help may take
    from verdazul.client.connection import Answer
    from verdazul.client.login import Login
    from verdazul.client.operations import Patience
    from verdazul.client.server import Server
    from verdazul.client.workspace import Resource, Workspace

DEFAULTS = {"group": "resource_group", "workspace": "workspace", "location": "location"}
"""az's names for the defaults that it keeps, and the settings that they must agree with."""


ACCESS_TOKEN = "VERDAZUL_ACCESS_TOKEN"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command."""

    settings: Settings
    how: render.Format
    quiet: bool
    verbose: bool
    debug: bool
    timeout_seconds: float
    is_home_named: bool = False  # by --home: then no variable may lead elsewhere

    @classmethod
    def of(cls, arguments: Arguments) -> Session:
        """Read the global flags. Raises UserError for a bad --query, setting or workspace."""
        home = getattr(arguments, "home", None)
        session = cls(
            settings=Settings.of_home(home=_folder(home) if home else None),
            how=render.Format(getattr(arguments, "output", ""), getattr(arguments, "query", "")),
            quiet=getattr(arguments, "only_show_errors", False),
            verbose=getattr(arguments, "verbose", False),
            debug=getattr(arguments, "debug", False),
            timeout_seconds=getattr(arguments, "timeout", 1800.0),
            is_home_named=bool(home),
        )
        session._refuse_other_workspace(arguments)
        return session

    @property
    def workspace_id(self) -> str:
        """The ARM id of this home's workspace."""
        settings = self.settings
        return (
            f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace}"
        )

    @property
    def access_token(self) -> str:
        """A token of an identity provider, for endpoints that want one ("": none was given).

        It comes in a variable: command lines are for all to read.
        """
        return os.environ.get(ACCESS_TOKEN, "").strip()

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that count: none when --home leads elsewhere."""
        return {} if self.is_home_named else os.environ

    @property
    def login(self) -> Login | None:
        """Who is logged in at the server that would be asked."""
        from verdazul.client.login import read_login
        from verdazul.client.server import reach

        login = read_login(self.settings.home)
        if login is None:
            return None
        try:
            address = reach(self.settings.home, self.environ).address
        except VerdazulError:
            return login  # nothing runs that it could be compared with
        return login if login.address == address else None

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Open the way to the server and tell of progress meanwhile."""
        from verdazul.client.connection import Connection
        from verdazul.client.operations import Patience
        from verdazul.client.server import locate
        from verdazul.client.workspace import Workspace

        server = locate(self.settings.home, self.environ)
        self._tell_of_another_login(server)
        self.detail(f"server {server.address}, trusting {server.ca or 'the system'}")
        self.detail(f"workspace {self.workspace_id}")
        with Connection(server, trace=self.trace) as connection, progress(quiet=self.quiet) as on:
            yield Work(Workspace(connection, self.workspace_id), on, Patience(self.timeout_seconds))

    def _tell_of_another_login(self, server: Server) -> None:
        from verdazul.client.login import read_login

        login = read_login(self.settings.home)
        if login and server.login is None:
            self.note(
                f"{login.name} is logged in at {login.address} only; {server.address} is asked "
                "by the home's token"
            )

    def note(self, message: str) -> None:
        """Tell something worth knowing, unless only errors are wanted."""
        if not self.quiet:
            render.say(message)

    def detail(self, message: str) -> None:
        """Tell something that --verbose or --debug ask for."""
        if self.verbose or self.debug:
            render.say(message)

    def trace(self, line: str) -> None:
        """Tell of a request, where --debug asks for it."""
        if self.debug:
            render.say(f"debug: {line}")

    @property
    def defaults_file(self) -> Path:
        """What `verdazul configure` keeps."""
        return self.settings.home / "cli.json"

    def default(self, name: str) -> str:
        """What stands for `group`, `workspace` or `location` where a command names none."""
        variable = os.environ.get(f"AZURE_DEFAULTS_{name.upper()}")
        if variable and not self.is_home_named:
            return variable
        return stored_defaults(self.defaults_file).get(name, "")

    def _refuse_other_workspace(self, arguments: Arguments) -> None:
        if not hasattr(arguments, "resource_group"):
            return
        for flag in ("resource_group", "workspace_name", "subscription"):
            setting = flag.removesuffix("_name")
            source, asked = self._asked(f"--{flag.replace('_', '-')}", arguments, flag)
            ours = getattr(self.settings, setting)
            if asked and asked.lower() != ours.lower():
                raise wrong_workspace(source, asked, setting, ours)

    def _asked(self, flag: str, arguments: Arguments, key: str) -> tuple[str, str]:
        """Who names it first: the flag, a variable (unless --home leads elsewhere), a default."""
        given = getattr(arguments, key)
        if given is not None:
            return flag, given
        name = {"resource_group": "group", "workspace_name": "workspace"}.get(key, "")
        variable = f"AZURE_DEFAULTS_{name.upper()}"
        if not self.is_home_named and os.environ.get(variable):
            return variable, os.environ[variable]
        stored = stored_defaults(self.defaults_file).get(name, "")
        return f"the default {name} (see `verdazul configure --list-defaults`)", stored


@dataclass(frozen=True, slots=True)
class Work:
    """An open way to the server."""

    workspace: Workspace
    progress: Progress
    patience: Patience

    def finish(self, answer: Answer, *, more: str = "") -> None:
        """Wait until what `answer` accepted is done. `more` is the command that tells why not."""
        from verdazul.client.operations import NotReady, wait

        if not answer.operation:
            return
        try:
            wait(
                self.workspace.connection,
                answer.operation,
                patience=self.patience,
                on_progress=self.progress.happened,
            )
        except NotReady as error:
            if more:
                error.add_note(more)
            raise

    def settled(self, resource: Resource, answer: Answer, *, more: str = "") -> dict[str, Any]:
        """Wait as `finish` does, then return the resource as it is now."""
        self.finish(answer, more=more)
        body: dict[str, Any] = resource.get().body
        return body


def stored_defaults(file: Path) -> dict[str, str]:
    """What `verdazul configure` kept; {} when there is nothing."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["defaults"]
        return {name: str(found[name]) for name in DEFAULTS if name in found}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def wrong_workspace(source: str, asked: str, setting: str, ours: str) -> UserError:
    """Refuse a name that is not this home's."""
    return UserError(
        f"{source} is {asked!r}, but this home's is {ours!r}",
        code="WrongWorkspace",
        fix="leave it out, name the right home with --home, or start this one under that name: "
        f"VERDAZUL_{setting.upper()}={asked} verdazul up",
    )


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise UserError(f"--home {text!r} is no folder: {error}", code="InvalidSetting") from None
