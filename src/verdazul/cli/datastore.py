"""`verdazul datastore`: where files of models and data lie: here, and in storage accounts.

A secret goes to the server once; `show` and `list` never have it.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda store: store["name"]),
    ("Type", lambda store: store.get("type")),
    ("Account", lambda store: store.get("account_name")),
    ("Container", lambda store: store.get("container_name") or store.get("filesystem")),
    ("Credentials", lambda store: store["credentials"].get("type")),
)
_OK = 200
_UNTRIED = "true"  # as Azure's clients: what is wrong is told when it is read


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "datastore", "Manage where files of assets lie.")
    making = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Keep a datastore from a YAML file; one of that name is changed.",
        examples=[
            "verdazul datastore create -f weights.yml",
            'verdazul datastore create -f weights.yml --set credentials.sas_token="$SAS"',
        ],
    )
    _name(making, required=False)
    making.add_argument("-f", "--file", required=True, metavar="YAML", help="(required)")
    grammar.add_set(making)
    changing = grammar.add_resource_command(
        commands,
        "update",
        update,
        summary="Change a datastore's credentials, description and tags; what is not named stays.",
        examples=[
            "verdazul datastore update -n weights --set description='of 2026' tags.team=risk",
            'verdazul datastore update -n weights --set credentials.account_key="$KEY"',
        ],
    )
    _name(changing)
    grammar.not_yet(changing, "-f", "--file", why="datastore create takes a file", takes=1)
    grammar.add_set(changing)
    grammar.add_add_and_remove(changing)
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show a datastore. Its secrets are never shown.",
        examples=["verdazul datastore show -n workspaceblobstore"],
    )
    _name(one)
    every = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List the datastores.",
        examples=["verdazul datastore list -o table"],
    )
    every.add_argument("-r", "--max-results", type=int, metavar="N", help="as many at most")
    ending = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Forget a datastore and its credentials; what is in the account stays.",
        examples=["verdazul datastore delete -n weights"],
    )
    _name(ending)


def create(session: Session, arguments: Arguments) -> None:
    """Keep one."""
    from verdazul.model.datastore_bodies import datastore_to_arm, load_datastore

    spec = load_datastore(Path(arguments.file), name=arguments.name, sets=arguments.sets)
    with session.work() as work:
        store = work.workspace.datastore(spec.name)
        body = store.put(datastore_to_arm(spec), skipValidation=_UNTRIED).body
    _show(session, body)


def update(session: Session, arguments: Arguments) -> None:
    """Change one; a secret that is not named stays on the server."""
    from verdazul.model.datastore_bodies import changed_datastore, datastore_to_arm

    with session.work() as work:
        store = work.workspace.datastore(arguments.name)
        known = store.get()
        spec = changed_datastore(
            known.body,
            sets=arguments.sets,
            adds=arguments.adds,
            removes=arguments.removes,
            force_string=arguments.force_string,
        )
        wanted = datastore_to_arm(spec)
        body = store.replace(wanted, etag=known.etag, skipValidation=_UNTRIED).body
    _show(session, body)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        body = work.workspace.datastore(arguments.name).get().body
    _show(session, body)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them."""
    from verdazul.model.entity import datastore_entity

    with session.work() as work:
        bodies = islice(work.workspace.datastores().list(), arguments.max_results)
        found = [datastore_entity(body) for body in bodies]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Forget one."""
    with session.work() as work:
        was_there = work.workspace.datastore(arguments.name).delete().status == _OK
    gone = "is deleted" if was_there else "does not exist; there was nothing to delete"
    session.note(f'datastore "{arguments.name}" {gone}')


def _show(session: Session, body: dict[str, Any]) -> None:
    from verdazul.model.entity import datastore_entity

    render.show(datastore_entity(body), session.how, columns=_COLUMNS)


def _name(parser: Any, *, required: bool = True) -> None:
    parser.add_argument(
        "-n",
        "--name",
        required=required,
        metavar="NAME",
        help="its name" + " (required)" * required,
    )
