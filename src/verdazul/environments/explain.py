"""What uv said, as a Problem that a person can act on. Pure.

uv's own words are kept in the log tail; the message names the package and says which kind of
failure it is: name, version, Python, contradiction, network, disk, compiler. First match wins, so
causes stand before their consequences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verdazul.environments.names import nearest
from verdazul.environments.redact import redact
from verdazul.model.errors import Problem

CODE = "ImageBuildFailure"
TAIL_LINES = 15
_NOISE = re.compile(
    r"\A(Using |Resolved |Prepared |Installed |Downloading |Creating | Downloaded )"
)
_FRAME = re.compile(r"\A[\s│├╰─▶\u00d7]*(cause:\s*)?")

_NETWORK = re.compile(
    r"Failed to fetch|error sending request|client error \(Connect\)|dns error|tcp connect error"
    r"|Network is unreachable|operation timed out|Connection (refused|reset)|failed to lookup"
    r"|Could not resolve host|Failed to connect to",
    re.IGNORECASE,
)
_DISK = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_DENIED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_NO_PACKAGE = re.compile(
    r"(?P<name>\S+) was not found in the (?P<where>package registry|cache|pro)"
)
_NO_VERSION = re.compile(r"there (?:is|are) no versions? of (?P<what>\S+)")
_OFFERED = re.compile(
    r"only (?:the following versions of )?(?P<what>\S+(?: [<>=!]\S+)?) .*available"
)
_BEYOND = re.compile(
    r"Because only (?P<offered>\S+) (?:is|are) available and you require (?P<what>[^\s,]+)"
)
_NO_WHEEL = re.compile(
    r"(?P<what>\S+) has no (?:wheels|usable wheels|source distribution and no wheels)"
)
_PYTHON = re.compile(
    r"current Python version \((?P<has>[\d.]+)\) does not satisfy Python(?P<wants>[<>=!~\d.,]+)"
)
_BACKEND = re.compile(r"Failed to (?:download and )?build `(?P<what>[^`]+)`")
_SYNTAX = re.compile(r"Couldn't parse requirement|error: Error parsing|Unexpected '")
_GIT = re.compile(r"Git operation failed|failed to clone into", re.IGNORECASE)
_HASH = re.compile(r"Hash mismatch for `(?P<what>[^`]+)`")


def explain(lines: Sequence[str], *, python: str) -> Problem:
    """`lines` are uv's output (its end, at least); `python` is the version that was used."""
    tail = tuple(redact(line) for line in lines if line.strip() and not _NOISE.match(line))
    text = re.sub(r"\s+", " ", " ".join(_FRAME.sub("", line) for line in tail))
    message, fix = _judge(text, python)
    return Problem(code=CODE, message=message, fix=fix, log_tail=tail[-TAIL_LINES:])


def _judge(text: str, python: str) -> tuple[str, str]:
    for find in (_machine, _package, _version, _build):
        found = find(text, python)
        if found:
            return found
    first = re.search(r"error: (.*)", text)
    said = (first[1] if first else text)[:300] or "uv said nothing"
    return f"uv could not build the environment: {said}", "see the log lines"


def _machine(text: str, _python: str) -> tuple[str, str] | None:
    if _DISK.search(text):
        return "the disk is full", "free some space, then deploy again"
    if _DENIED.search(text):
        return (
            "the package index refused the credentials it was given",
            "check the user and password of the index",
        )
    if _GIT.search(text):
        url = re.search(r"https?://[^\s'`]+|ssh://[^\s'`]+", text)
        named = f" {url[0]}" if url else ""
        return f"the git repository{named} could not be fetched", "check its URL and access to it"
    if _NETWORK.search(text):
        where = f"the package index cannot be reached ({_url(text)})"
        return where, "check the network and UV_INDEX_URL, HTTPS_PROXY; then deploy again"
    return None


def _url(text: str) -> str:
    url = re.search(r"https?://[^\s)`']+", text)
    return url[0] if url else "no address given"


def _package(text: str, _python: str) -> tuple[str, str] | None:
    missing = _NO_PACKAGE.search(text)
    if not missing:
        return None
    name = re.split(r"[<>=!~\[;]", missing["name"].strip("`"))[0]
    meant = nearest(name)
    if missing["where"] == "cache":
        return f"package `{name}` is not in the cache, and uv is told to stay offline", "go online"
    if missing["where"] == "pro":
        return f"`--no-index` is given, and no `--find-links` has `{name}`", "allow an index"
    fix = f"did you mean `{meant}`?" if meant else "check its name (conda names may differ)"
    return f"there is no package `{name}` on the package index", fix


def _version(text: str, python: str) -> tuple[str, str] | None:
    wheel, older = _NO_WHEEL.search(text), _PYTHON.search(text)
    if older:
        needs = re.search(r"(?:Because )?(\S+) depends on Python", text)
        what = f"`{needs[1]}`" if needs else "a package"
        message = f"{what} needs Python{older['wants']}; the environment has {older['has']}"
        return message, "name a Python that it supports, or another version of the package"
    if wheel:
        return (
            f"`{wheel['what']}` is not offered for Python {python} on this machine",
            "name a newer version of the package, or a Python that it supports",
        )
    beyond = _BEYOND.search(text)
    if beyond:
        fix = f"available: {beyond['offered']}"
        return f"no version `{beyond['what']}` on the package index", fix
    absent = _NO_VERSION.search(text)
    if absent:
        return f"no version `{absent['what']}` on the package index", _offer(text)
    if "No solution found" in text:
        why = re.search(r"Because (.*?)(?:, we can conclude|$)", text)
        reason = (why[1] if why else text)[:300]
        return f"the requirements contradict each other: {reason}", "change one of them"
    return None


def _offer(text: str) -> str:
    offered = _OFFERED.search(text)
    return f"available: {offered['what']}" if offered else "name a version that exists"


def _build(text: str, python: str) -> tuple[str, str] | None:
    hashed, built = _HASH.search(text), _BACKEND.search(text)
    if hashed:
        return f"`{hashed['what']}` is not the file its hash promises", "correct the hash"
    if built:
        return (
            f"`{built['what']}` has no ready-made build for Python {python}; from source it failed",
            "name a newer version of it or an older Python, or install the compiler it asks for",
        )
    if _SYNTAX.search(text):
        said = re.search(r"at position \d+ (.*)", text) or re.search(r"error: (.*)", text)
        what = said[1] if said else text
        return f"a requirement cannot be read: {what[:300]}", "write it as `name==1.2`"
    return None
