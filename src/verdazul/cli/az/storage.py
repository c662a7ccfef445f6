"""`az storage blob upload-batch`: files into the one datastore, as scripts send them before they
register code and models over REST.
"""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.datastore import Store
    from verdazul.client.uploads import Files

_NO_KEY = "there are no account keys; leave it out, your login opens the datastore"


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the group and its one command."""
    storage = grammar.add_noun(groups, "storage", "The storage account of this home.")
    blobs = grammar.add_noun(storage, "blob", "Files in the datastore.")
    sending = grammar.add_command(
        blobs,
        "upload-batch",
        upload_batch,
        summary="Send the files of a folder. What is there already stays, without --overwrite.",
        examples=("az storage blob upload-batch -d azureml-blobstore/score -s src",),
    )
    sending.add_argument(
        "-d", "--destination", required=True, metavar="CONTAINER", help="and a folder below it"
    )
    sending.add_argument("-s", "--source", required=True, metavar="FOLDER", help="what to send")
    sending.add_argument("--destination-path", default="", metavar="PATH", help="a folder below")
    sending.add_argument("--pattern", default="*", metavar="GLOB", help="which files")
    sending.add_argument("--account-name", metavar="NAME", help="AZURE_STORAGE_ACCOUNT, or ours")
    sending.add_argument("--auth-mode", choices=("login", "key"), help="as in az")
    sending.add_argument(
        "--overwrite", nargs="?", const="true", default="false", choices=("true", "false")
    )
    sending.add_argument("--no-progress", action="store_true", help="as in az")
    for flag in ("--account-key", "--sas-token", "--connection-string"):
        grammar.not_yet(sending, flag, why=_NO_KEY, takes=1)


def upload_batch(session: Session, arguments: Arguments) -> None:
    """Send them, and show where each is."""
    from verdazul.client.assets import size_text
    from verdazul.client.datastore import open_store
    from verdazul.client.uploads import upload

    source = Path(arguments.source)
    if not source.is_dir():
        raise UserError(f"--source is {source}; it must be a folder", code="NotAFolder")
    container, _, folder = arguments.destination.strip("/").partition("/")
    below = "/".join(part for part in (folder, arguments.destination_path.strip("/")) if part)
    with session.work() as work:
        store = open_store(work.workspace)
        _check_place(store, container, arguments.account_name)
        files = _files(source, below, arguments.pattern)
        if arguments.overwrite == "false":
            there = set(store.paths(f"{below}/" if below else ""))
            for name in sorted(there & {name for name, _ in files}):
                work.progress.happened(f"{name} is there already; --overwrite sends it again")
            files = [(name, file) for name, file in files if name not in there]

        def moving(sent: int, of: int) -> None:
            work.progress.moving(f"{size_text(sent)} of {size_text(of)}")

        upload(work.workspace.connection, store.place, files, on_bytes=moving)
    render.show([{"Blob": f"{store.place.uri}/{quote(name)}"} for name, _ in files], session.how)


def _files(source: Path, below: str, pattern: str) -> Files:
    """Every file that fits, links not followed, by where it goes."""
    found = []
    for folder, _, names in os.walk(source):
        for name in names:
            file = Path(folder, name)
            relative = file.relative_to(source).as_posix()
            if file.is_file() and fnmatch.fnmatch(relative, pattern):
                found.append((f"{below}/{relative}".lstrip("/"), file))
    return sorted(found)


def _check_place(store: Store, container: str, account: str | None) -> None:
    uri, _, ours = store.place.uri.rpartition("/")
    if container.lower() != ours.lower():
        raise UserError(
            f"there is no container {container[:80]}; this home has {ours}",
            code="ContainerNotFound",
        )
    known = uri.partition("://")[2].partition(".blob.")[0]
    named = account or os.environ.get("AZURE_STORAGE_ACCOUNT") or known
    if named.lower() != known.lower():
        raise UserError(
            f"the storage account {named[:80]} is not here; this home has {known}",
            code="AccountNotFound",
            fix="take accountName of the datastore, or leave it out",
        )
