"""`verdazul ad`: the people and programs that this home knows, with the flags of `az ad`."""

from __future__ import annotations

from typing import Any

from verdazul.cli import ad_sp, ad_user, grammar


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the group."""
    groups = grammar.add_noun(nouns, "ad", "The people and programs that this home knows.")
    ad_sp.register(groups)
    ad_user.register(groups)
