"""`az`, as far as scripts for online endpoints use it: `az ml` is ours, a few groups beside it.

What it does not know it refuses by name, with exit code 2: a script stops at the first line that
would have meant something else in Azure. `verdazul az install-shim` puts it on a PATH.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from verdazul.cli import account, ad, configure, deployment, grammar, login, main, monitor, role
from verdazul.cli.az import config, extension, group, shim, storage, unserved, version
from verdazul.model.errors import UserError

_DESCRIPTION = """Verdazul, under the name that scripts written for Azure call.

`az ml` manages the online endpoints of this machine; nothing here reaches Azure."""
_EPILOG = f"""examples:
  az ml online-endpoint create -n credit
  az ml online-endpoint show -n credit --query provisioning_state -o tsv

{grammar.AZ_EXIT_CODES}

{{way_out}}"""
_FAILED = 1


def run(argv: Sequence[str] | None = None) -> int:
    """Run one line of `az`; what Verdazul tells apart above az's codes is 1 here."""
    words = list(sys.argv[1:] if argv is None else argv)
    code = main.run(words, lambda: _parser_for(words))
    return _FAILED if code in {main.SYSTEM, main.NOT_READY} else code


def parser() -> grammar.Parser:
    """Build az's grammar."""
    root = grammar.Parser(
        prog="az",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(way_out=_way_out()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[grammar.global_flags()],
        add_help=False,
    )
    root.add_argument(
        "--version", dest="tell_version", action="store_true", help="show the version and exit"
    )
    groups: Any = root.add_subparsers(dest="group", metavar="GROUP", parser_class=grammar.Parser)
    ml = grammar.add_noun(groups, "ml", "Manage online endpoints.")
    main.register_ml(ml)
    account.register(groups)
    login.register(groups)
    ad.register(groups)
    version.register(groups)
    extension.register(groups)
    group.register(groups)
    role.register(groups)
    monitor.register(groups)
    deployment.register(groups)
    configure.register(groups)
    config.register(groups)
    storage.register(groups)
    return root


def _parser_for(words: Sequence[str]) -> grammar.Parser:
    """Refuse a group of Azure's before argparse can guess what was meant instead."""
    root = parser()
    asked = next((word for word in words if not word.startswith("-")), "")
    known = _names(root)
    if asked and words[0] == asked and asked not in known:
        raise grammar.Misread(
            f"`az {asked}` is not served: {unserved.why(asked, known)}",
            code="NotServedHere",
            fix=_way_out(),
        )
    return root


def _names(root: grammar.Parser) -> list[str]:
    found = (a for a in root._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001 - argparse tells it nowhere else
    return list(next(found).choices)


def _way_out() -> str:
    other = shim.azures_own()
    return f"Azure's own az is {other}" if other else "for Azure itself, call its own az by path"


if __name__ == "__main__":
    try:
        sys.exit(run())
    except UserError as error:  # pragma: no cover - main.run has told every other
        raise SystemExit(_FAILED) from error
