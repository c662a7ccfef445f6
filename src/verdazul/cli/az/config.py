"""`az config`: the defaults of `az configure`, under the names and in the shapes of `az config`.

Of az's other settings two are true here whatever is set, and scripts begin with them; all others
are refused by name.
"""

from __future__ import annotations

from typing import Any

from verdazul.cli import configure, grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import DEFAULTS, Session, stored_defaults
from verdazul.model.errors import UserError

_SECTION = "defaults"
_TRUE_ANYWAY = {
    "extension.use_dynamic_install": "the extension ml is built in; nothing is installed",
    "core.collect_telemetry": "nothing is collected",
}


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the group."""
    commands = grammar.add_noun(groups, "config", "The defaults, as `az config` names them.")
    for name, run, summary, example, metavar in (
        ("get", get, "Show what is set: all, a section, or one name.", "defaults.group", "KEY"),
        ("set", set_, "Set defaults.", "defaults.group=local", "KEY=VALUE"),
        ("unset", unset, "Remove defaults.", "defaults.group", "KEY"),
    ):
        parser = grammar.add_command(
            commands, name, run, summary=summary, examples=(f"az config {name} {example}",)
        )
        count = "?" if name == "get" else "+"
        parser.add_argument("keys", nargs=count, metavar=metavar, help=f"such as {example}")
        grammar.not_yet(parser, "--local", why="defaults belong to the home, not to a folder")


def get(session: Session, arguments: Arguments) -> None:
    """Show all sections, one section, or one entry."""
    file = session.defaults_file
    found = stored_defaults(file)
    entries = [configure.entry(name, found[name], file) for name in sorted(found)]
    section, _, name = (arguments.keys or "").partition(".")
    if not section:
        render.show({_SECTION: entries}, session.how)
    elif section == _SECTION and not name:
        render.show(entries, session.how)
    elif section == _SECTION and name in found:
        render.show(configure.entry(name, found[name], file), session.how)
    else:
        raise UserError(f"Configuration '{arguments.keys}' is not set.", code="ConfigurationNotSet")


def set_(session: Session, arguments: Arguments) -> None:
    """Set defaults; all words are looked at before one is kept."""
    words = []
    for word in arguments.keys:
        key, equals, value = word.partition("=")
        if key in _TRUE_ANYWAY and equals:
            _check(key, value)
            session.note(f"{key}: {_TRUE_ANYWAY[key]}")
        else:
            words.append(f"{_named(key)}{equals}{value}")
    configure.keep(session, words)


def unset(session: Session, arguments: Arguments) -> None:
    """Remove defaults."""
    configure.keep(session, [f"{_named(key)}=" for key in arguments.keys])


def _check(key: str, value: str) -> None:
    if key == "core.collect_telemetry" and value.lower() not in {"no", "false", "0", "off"}:
        raise UserError(f"{key}={value}: {_TRUE_ANYWAY[key]}", code="InvalidArguments")


def _named(key: str) -> str:
    section, _, name = key.partition(".")
    if section == _SECTION and name in DEFAULTS:
        return name
    known = [*(f"{_SECTION}.{name}" for name in DEFAULTS), *_TRUE_ANYWAY]
    raise UserError(
        f"{key!r} is not a setting here; it must be one of {', '.join(known)}",
        code="InvalidArguments",
    )
