"""A YAML text as plain mappings, lists and texts, with the line of every key.

Scalars stay as they are written (`1.10`, `on`, `007`): what they mean is decided by the field that
reads them, so YAML 1.1's guesses (octal, sexagesimal, `no` for false) never bite. Only an empty
value and `null` are None. Anchors, aliases and `<<` work; aliases that multiply without end do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from verdazul.model.errors import Problem, UserError
from verdazul.model.show import Key, dotted, shown

MOST_VALUES = 20_000
DEEPEST = 100
_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "timestamp", "value"))
_NULL = _TAG + "null"
_MERGE = _TAG + "merge"
_HINTS = {
    "mapping values are not allowed here": "quote a value that contains ': '",
    "could not find expected ':'": "a key needs ': ' after it, and the same indentation as others",
    "found undefined alias": "define it first with &",
    "expected <block end>": "indent all keys of a mapping alike",
}


@dataclass(frozen=True, slots=True)
class Document:
    """`tree` is what the text says; `lines` maps each key to its line; `problems` can be collected.

    The key () stands for the whole document.
    """

    tree: dict[str, object]
    lines: dict[Key, int]
    problems: list[Problem] = field(default_factory=list)


class _Shallow(yaml.SafeLoader):
    """Gives up on nesting before Python does."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # stubs lack it
            raise yaml.composer.ComposerError(problem="nested too deeply", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_document(text: str, file: str) -> Document:
    """One YAML document that is a mapping. Raises UserError (InvalidYaml) naming file:line."""
    try:
        nodes = list(itertools.islice(yaml.compose_all(text, Loader=_Shallow), 2))
        return _document(nodes, file)
    except yaml.MarkedYAMLError as error:
        raise _invalid(error, file) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise UserError(
            f"not a YAML text: it holds the character {error.character:#x}",
            code="InvalidYaml",
            where=f"{file}:{line}",
        ) from None


def _document(nodes: list[yaml.Node], file: str) -> Document:
    if not nodes or (len(nodes) == 1 and nodes[0].tag == _NULL):
        raise UserError("the file is empty", code="InvalidYaml", where=file)
    if len(nodes) > 1:
        raise UserError(
            "a second document begins here; a file describes one thing",
            code="InvalidYaml",
            where=f"{file}:{_line(nodes[1])}",
            fix="keep one document, and no `---` after it",
        )
    if not isinstance(nodes[0], yaml.MappingNode):
        raise UserError(
            f"the file holds {_kind(nodes[0])}; it must be a mapping such as `name: credit`",
            code="InvalidYaml",
            where=f"{file}:{_line(nodes[0])}",
        )
    walk = _Walk(file, {(): _line(nodes[0])})
    return Document(walk.mapping(nodes[0], ()), walk.lines, walk.problems)


@dataclass(slots=True)
class _Walk:
    """One pass over the nodes. Aliases are walked each time they are met, and counted."""

    file: str
    lines: dict[Key, int]
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    open: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, key: Key) -> object:
        self._count(node)
        if len(key) > DEEPEST:
            raise self._refused(node, "nested too deeply")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            raise self._refused(node, "an alias stands inside of what it stands for", at=key)
        self.open.add(id(node))
        found = self._collection(node, key)
        self.open.discard(id(node))
        return found

    def _count(self, node: yaml.Node) -> None:
        self.count += 1
        if self.count > MOST_VALUES:
            raise self._refused(node, f"the file has more than {MOST_VALUES} values")

    def _collection(self, node: yaml.Node, key: Key) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, key)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return self._list(node, key)
        raise self._refused(node, f"the tag {shown(node.tag)} is not supported")

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, object]:
        found: dict[str, object] = {}
        merged: dict[str, yaml.Node] = {}
        for name_node, value_node in node.value:
            if name_node.tag == _MERGE:
                merged = {**self._merged(value_node, key), **merged}
                continue
            name = self._name(name_node)
            inner = (*key, name)
            if name in found:
                self._twice(inner, name_node)
                continue
            self.lines[inner] = _line(name_node)
            found[name] = self.value(value_node, inner)
        for name, value_node in merged.items():
            if name not in found:
                self.lines[(*key, name)] = _line(value_node)
                found[name] = self.value(value_node, (*key, name))
        return found

    def _list(self, node: yaml.SequenceNode, key: Key) -> list[object]:
        found = []
        for index, item in enumerate(node.value):
            self.lines[(*key, index)] = _line(item)
            found.append(self.value(item, (*key, index)))
        return found

    def _scalar(self, node: yaml.ScalarNode) -> str | None:
        if node.tag == _NULL:
            return None
        if node.tag not in _SCALARS:
            raise self._refused(node, f"the tag {shown(node.tag)} is not supported")
        return str(node.value)

    def _name(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refused(node, f"{_kind(node)} stands where a key should be")
        return str(node.value)

    def _merged(self, node: yaml.Node, key: Key) -> dict[str, yaml.Node]:
        """What `<<: *other` or `<<: [*one, *other]` adds; the first to name a key wins."""
        if len(key) > DEEPEST:
            raise self._refused(node, "nested too deeply")
        merged: dict[str, yaml.Node] = {}
        for source in reversed(list(_sources(node))):
            self._count(source)
            if not isinstance(source, yaml.MappingNode):
                raise self._refused(node, "`<<` takes a mapping, or a list of mappings")
            for name, value in source.value:
                if name.tag == _MERGE:
                    merged.update(self._merged(value, (*key, "<<")))
            merged.update({self._name(n): value for n, value in source.value if n.tag != _MERGE})
        return merged

    def _twice(self, key: Key, node: yaml.Node) -> None:
        self.problems.append(
            Problem(
                "DuplicateKey",
                f"the key `{dotted(key)}` is there twice, first in line {self.lines[key]}",
                "keep one of them",
                f"{self.file}:{_line(node)}",
            )
        )

    def _refused(self, node: yaml.Node, message: str, *, at: Key | None = None) -> UserError:
        """At the line of a node; or of a key, where the node itself may be another line's."""
        line = _line(node) if at is None else self.lines[at]
        return UserError(message, code="InvalidYaml", where=f"{self.file}:{line}")


def _sources(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    else:
        yield node


def _invalid(error: yaml.MarkedYAMLError, file: str) -> UserError:
    """The parser's complaint in words that say what to change."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = error.problem or error.context or "it cannot be parsed"
    if r"'\t'" in problem:
        message = f"a tab at column {column}: YAML forbids tabs for indentation"
        fix = "use spaces"
    else:
        context = f" ({error.context})" if error.context and error.problem else ""
        message = f"not valid YAML at column {column}: {problem}{context}"
        fix = next((hint for text, hint in _HINTS.items() if text in problem), "")
    return UserError(message, code="InvalidYaml", where=f"{file}:{line}", fix=fix)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else f"the text {shown(node.value)}"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
