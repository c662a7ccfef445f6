"""What `verdazul model`, `environment` and `data` have in common: versions of a name.

A version is named by --version, or by --label latest. Its content never changes; archiving takes it
out of lists and of `@latest`, and out of nothing that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import NotFound, UserError

if TYPE_CHECKING:
    from verdazul.client.workspace import Assets, Resource

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda asset: asset["name"]),
    ("Version", lambda asset: asset.get("version") or asset.get("latest_version")),
    ("Type", lambda asset: asset.get("type")),
    ("Archived", lambda asset: asset.get("is_archived")),
    ("Description", lambda asset: asset.get("description")),
)
_SAID = ("description", "tags", "properties", "stage")
_ARCHIVED = {"archived_only": "ArchivedOnly", "include_archived": "All"}


@dataclass(frozen=True, slots=True)
class Kind:
    """`noun` is what people type, `collection` what the API calls them."""

    noun: str
    collection: str
    example: str

    @property
    def one(self) -> str:
        """As a sentence says it: data can be counted as assets only."""
        article = "an" if self.noun[0] in "aeiou" else "a"
        return f"{article} {self._counted}"

    @property
    def many(self) -> str:
        """All of them, in a sentence."""
        return f"{self._counted}s"

    @property
    def _counted(self) -> str:
        return "data asset" if self.noun == "data" else self.noun

    def add(
        self,
        commands: grammar.Subparsers[Any],
        verb: str,
        run: Any,
        *,
        summary: str,
        examples: Sequence[str],
    ) -> Any:
        """Declare one command, of the workspace or a registry.

        Its examples are what follows `verdazul <noun> <verb>`.
        """
        parser = self.add_of_workspace(commands, verb, run, summary=summary, examples=examples)
        parser.add_argument(
            "--registry-name", metavar="NAME", help="of this registry, not of the workspace"
        )
        return parser

    def add_of_workspace(
        self,
        commands: grammar.Subparsers[Any],
        verb: str,
        run: Any,
        *,
        summary: str,
        examples: Sequence[str],
    ) -> Any:
        """Declare one command that is about the workspace's own."""
        return grammar.add_resource_command(
            commands,
            verb,
            run,
            summary=summary,
            examples=[f"verdazul {self.noun} {verb} {example}".rstrip() for example in examples],
        )


def declare(commands: grammar.Subparsers[Any], kind: Kind) -> None:
    """Declare show, list, update, archive and restore."""
    _declare_readers(commands, kind)
    changing = kind.add(
        commands,
        "update",
        lambda session, arguments: _update(session, arguments, kind),
        summary="Change what is said about a version: description, tags, properties, stage. Its "
        "content never changes.",
        examples=[f"-n {kind.example} -v 1 --set tags.team=risk description='for cards'"],
    )
    name_flags(changing)
    label_flag(changing)
    grammar.add_set(changing)
    grammar.add_add_and_remove(changing)
    out = "Take a version, or all of a name, out of lists and of @latest, and out of nothing else."
    for verb, archived, what in (("archive", True, out), ("restore", False, "Undo archive.")):
        parser = kind.add(
            commands,
            verb,
            lambda session, arguments, archived=archived: _archive(
                session, arguments, kind, archived=archived
            ),
            summary=what,
            examples=[f"-n {kind.example} -v 1", f"-n {kind.example}"],
        )
        name_flags(parser)
        label_flag(parser)


def declare_share(commands: grammar.Subparsers[Any], kind: Kind) -> None:
    """Declare share."""
    sharing = kind.add_of_workspace(
        commands,
        "share",
        lambda session, arguments: _share(session, arguments, kind),
        summary=f"Copy a version of {kind.one} from the workspace to a registry, where other "
        "workspaces find it. A version that is there never changes.",
        examples=[
            f"-n {kind.example} -v 1 --registry-name shared",
            f"-n {kind.example} -v 1 --registry-name shared --share-with-name best",
        ],
    )
    sharing.add_argument("-n", "--name", required=True, metavar="NAME", help="(required)")
    sharing.add_argument("-v", "--version", required=True, metavar="VERSION", help="(required)")
    sharing.add_argument(
        "--registry-name", required=True, metavar="NAME", help="where to (required)"
    )
    sharing.add_argument(
        "--share-with-name", metavar="NAME", help="its name there (default: the same)"
    )
    sharing.add_argument(
        "--share-with-version", metavar="VERSION", help="its version there (default: the same)"
    )


def name_flags(parser: Any, *, required: bool = True) -> None:
    """Add --name and --version."""
    parser.add_argument(
        "-n",
        "--name",
        required=required,
        metavar="NAME",
        help="its name" + " (required)" * required,
    )
    parser.add_argument("-v", "--version", metavar="VERSION", help="its version")


def label_flag(parser: Any) -> None:
    """Add --label."""
    parser.add_argument("-l", "--label", metavar="LABEL", help="instead of a version: latest")


def create_flags(parser: Any, *, has_path: bool) -> None:
    """Add what every create takes."""
    name_flags(parser, required=False)
    parser.add_argument("-f", "--file", metavar="YAML", help="the YAML file")
    parser.add_argument("--description", metavar="TEXT")
    parser.add_argument("--tags", nargs="+", metavar="KEY=VALUE", help="words to find it by")
    if has_path:
        parser.add_argument("-p", "--path", metavar="PATH", help="a file, a folder or an address")
        grammar.not_yet(
            parser,
            "--datastore",
            why="files are uploaded to workspaceblobstore; from others they are read",
            takes=1,
        )
    grammar.add_set(parser)


def given(arguments: Arguments, *names: str) -> dict[str, object]:
    """What flags say, by key of the YAML file; a path in a flag starts where the person is."""
    from pathlib import Path

    from verdazul.model.assets import is_address

    found = {name: getattr(arguments, name) for name in ("name", "version", "description", *names)}
    path = found.get("path")
    if path and not is_address(path):
        found["path"] = str(Path(path).absolute())
    if arguments.tags:
        found["tags"] = dict(_pair(word) for text in arguments.tags for word in text.split())
    return found


def place_of(work: Work, arguments: Arguments) -> Assets:
    """Where it is looked for: in a registry where one is named."""
    if arguments.registry_name is None:
        return work.workspace
    return work.workspace.registry(arguments.registry_name)


def named_version(place: Assets, kind: Kind, arguments: Arguments) -> Resource:
    """Find the version that flags name. Raises NotFound when a label leads nowhere."""
    if bool(arguments.version) == bool(arguments.label):
        raise UserError(
            f"{'both' if arguments.version else 'neither'} of --version and --label "
            f"{'are' if arguments.version else 'is'} given",
            code="InvalidArguments",
            fix="pass --version VERSION, or --label latest",
        )
    version = arguments.version or _labelled(place, kind, arguments)
    return place.asset(kind.collection, arguments.name, version)


def show_one(session: Session, body: dict[str, Any]) -> None:
    """Print one version."""
    from verdazul.model.entity import asset_entity

    render.show(asset_entity(body), session.how, columns=_COLUMNS)


def _declare_readers(commands: grammar.Subparsers[Any], kind: Kind) -> None:
    one = kind.add(
        commands,
        "show",
        lambda session, arguments: _show(session, arguments, kind),
        summary=f"Show a version of {kind.one}.",
        examples=[f"-n {kind.example} -v 1", f"-n {kind.example} -l latest --query id -o tsv"],
    )
    name_flags(one)
    label_flag(one)
    every = kind.add(
        commands,
        "list",
        lambda session, arguments: _list(session, arguments, kind),
        summary=f"List {kind.many} by name, or the versions of one. Archived ones are left out.",
        examples=["-o table", f"-n {kind.example} --include-archived"],
    )
    every.add_argument("-n", "--name", metavar="NAME", help="list the versions of this one")
    which = every.add_mutually_exclusive_group()
    which.add_argument("--archived-only", action="store_true", help="only archived ones")
    which.add_argument("--include-archived", action="store_true", help="archived ones too")
    every.add_argument(
        "-r", "--max-results", type=grammar.lines, metavar="N", help="no more than so many"
    )


def _show(session: Session, arguments: Arguments, kind: Kind) -> None:
    with session.work() as work:
        body = named_version(place_of(work, arguments), kind, arguments).get().body
    show_one(session, body)


def _list(session: Session, arguments: Arguments, kind: Kind) -> None:
    from verdazul.model.entity import asset_entity

    view = next((v for k, v in _ARCHIVED.items() if getattr(arguments, k)), "ActiveOnly")
    with session.work() as work:
        bodies = list(
            islice(_bodies(place_of(work, arguments), kind, arguments, view), arguments.max_results)
        )
    found = [asset_entity(body) for body in bodies]
    render.show(found, session.how, columns=_COLUMNS)


def _bodies(place: Assets, kind: Kind, arguments: Arguments, view: str) -> Iterator[dict[str, Any]]:
    if arguments.name:
        versions = place.asset_versions(kind.collection, arguments.name)
        return versions.list(listViewType=view)
    return place.asset_kind(kind.collection).list(listViewType=view)


def _update(session: Session, arguments: Arguments, kind: Kind) -> None:
    from verdazul.model.overrides import Overrides

    overrides = Overrides(
        sets=arguments.sets,
        adds=arguments.adds,
        removes=arguments.removes,
        force_string=arguments.force_string,
    )
    with session.work() as work:
        resource = named_version(place_of(work, arguments), kind, arguments)
        properties = resource.get().body["properties"]
        said = {key: properties[key] for key in _SAID if properties.get(key) is not None}
        changed = overrides.apply(dict(said)).tree
        _refuse_content(changed)
        kept = {key: value for key, value in properties.items() if key not in _SAID}
        body = resource.put({"properties": {**kept, **changed}}).body
    show_one(session, body)


def _refuse_content(changed: dict[str, object]) -> None:
    for key in changed:
        if key not in _SAID:
            raise UserError(
                f"{key} of a version cannot be changed; these can: {', '.join(_SAID)}",
                code="InvalidValue",
                fix="create a new version",
            )


def _share(session: Session, arguments: Arguments, kind: Kind) -> None:
    with session.work() as work:
        source = work.workspace.asset(kind.collection, arguments.name, arguments.version)
        shared = work.workspace.registry(arguments.registry_name).share(
            source.path,
            arguments.share_with_name or arguments.name,
            arguments.share_with_version or arguments.version,
        )
        body = shared.get().body
    show_one(session, body)


def _archive(session: Session, arguments: Arguments, kind: Kind, *, archived: bool) -> None:
    with session.work() as work:
        if arguments.version or arguments.label:
            resource = named_version(place_of(work, arguments), kind, arguments)
            body = resource.get().body
            resource.put({"properties": {**body["properties"], "isArchived": archived}})
        else:
            container = place_of(work, arguments).asset_container(kind.collection, arguments.name)
            container.put({"properties": {"isArchived": archived}})
    session.note(f"{arguments.name} is {'archived' if archived else 'restored'}")


def _labelled(place: Assets, kind: Kind, arguments: Arguments) -> str:
    if arguments.label.lower() != "latest":
        raise UserError(
            f"--label is {arguments.label!r}; there is one label: latest", code="InvalidArguments"
        )
    versions = place.asset_versions(kind.collection, arguments.name)
    query = {"listViewType": "ActiveOnly", "$orderBy": "createdtime desc", "$top": "1"}
    newest = next(iter(versions.list(**query)), None)
    if newest is None:
        raise NotFound(f'there is no {kind.noun} "{arguments.name}" that is not archived')
    return str(newest["name"])


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise UserError(
            f"--tags {word!r} is not understood; it must be KEY=VALUE", code="InvalidArguments"
        )
    return key, value
