"""`verdazul completion`: a script with which a shell completes commands, flags and their choices.

It is written once, from the grammar itself: completing starts no Python and asks no server.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_BASH = """# completion of verdazul for bash (and zsh by bashcompinit)
_verdazul_words() {
  case "$1" in
%(words)s
  esac
}
_verdazul_flags() {
  case "$1" in
%(flags)s
  esac
}
_verdazul_values() { # nothing and success: any value, such as a file; failure: the flag takes none
  case "$1 $2" in
%(values)s
  esac
}
_verdazul() {
  local here="" word choices i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    case " $(_verdazul_words "$here") " in *" $word "*) here="$here/$word" ;; esac
  done
  word="${COMP_WORDS[COMP_CWORD]}"
  if ((COMP_CWORD > 1)) && choices=$(_verdazul_values "$here" "${COMP_WORDS[COMP_CWORD - 1]}"); then
    :
  elif [[ $word == -* ]]; then
    choices=$(_verdazul_flags "$here")
  else
    choices=$(_verdazul_words "$here")
  fi
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
complete -o default -F _verdazul verdazul"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def register(nouns: grammar.Subparsers[Any], root: Callable[[], argparse.ArgumentParser]) -> None:
    """Declare the command; `root` builds the grammar that is to be completed."""
    parser = grammar.add_command(
        nouns,
        "completion",
        lambda session, arguments: completion(session, arguments, root()),
        summary="Print a script that completes commands, flags and their choices.",
        examples=(
            "source <(verdazul completion)               # in ~/.bashrc",
            "source <(verdazul completion --shell zsh)   # in ~/.zshrc",
        ),
    )
    parser.add_argument(
        "--shell", choices=("bash", "zsh"), default="bash", help="whose words (default: bash)"
    )


def completion(session: Session, arguments: Arguments, root: argparse.ArgumentParser) -> None:
    """Print the script."""
    del session
    text = script(root)
    whole = _ZSH + text if arguments.shell == "zsh" else text
    render.show_text(whole, render.Format("tsv"))


def script(root: argparse.ArgumentParser) -> str:
    """Write what completes this grammar in bash."""
    places = list(_places(root, ""))
    return _BASH % {
        "words": "\n".join(_case(place.path, place.words) for place in places if place.words),
        "flags": "\n".join(_case(place.path, place.flags) for place in places),
        "values": "\n".join(line for place in places for line in _value_cases(place)),
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """A point in a line: after `/online-endpoint/show`, say."""

    path: str
    words: tuple[str, ...]
    actions: tuple[argparse.Action, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that are served, the long ones: they say what they mean."""
        served = (action for action in self.actions if action.help != grammar.REFUSED)
        return tuple(f for action in served for f in action.option_strings if f[:2] == "--")


def _places(parser: argparse.ArgumentParser, path: str) -> Iterator[_Place]:
    actions = parser._actions  # noqa: SLF001 - argparse tells it nowhere else
    below = {
        name: inner
        for action in actions
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - it has no public name
        for name, inner in action.choices.items()
    }
    flags = tuple(action for action in actions if action.option_strings)
    yield _Place(path, tuple(below), flags)
    for name, inner in below.items():
        yield from _places(inner, f"{path}/{name}")


def _value_cases(place: _Place) -> Iterator[str]:
    taking = [action for action in place.actions if action.nargs != 0]
    for action in taking:
        where = " | ".join(f'"{place.path} {flag}"' for flag in action.option_strings)
        told = " ".join(map(str, action.choices or ()))
        yield f'    {where}) echo "{told}" ;;'
    yield f'    "{place.path} "*) return 1 ;;'


def _case(path: str, words: tuple[str, ...]) -> str:
    return f'    "{path}") echo "{" ".join(words)}" ;;'
