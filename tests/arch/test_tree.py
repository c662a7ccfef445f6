"""What holds for every file of this repository: it says why it exists, is short, and names no
machine.
"""

from __future__ import annotations

import ast
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
AZMLINFSRV = ROOT / "serve" / "azmlinfsrv" / "src"
MODULES = sorted(
    path
    for folder in (ROOT / "src", ROOT / "serve" / "src", AZMLINFSRV, ROOT / "benchmarks")
    for path in folder.rglob("*.py")
)

URL = re.compile(r"\bhttps?://(?:[^\s/@'\"]*@)?([a-zA-Z0-9.-]+)")
# Hosts of schemas, licences and manuals; test data. Names of package indexes never belong here.
KNOWN_HOSTS = {
    "azuremlschemas.azureedge.net",
    "docs.astral.sh",
    "graph.microsoft.com",
    "jmespath.org",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "core.windows.net",
    "mymodels.blob.core.windows.net",
    "mymodels.blob.core.chinacloudapi.cn",
    "management.azure.com",
    "schema.management.azure.com",
    "management.core.windows.net",
    "ml.azure.com",
    "schemas.microsoft.com",
    "somewhere.else",
    "storage.azure.com",
    "www.apache.org",
}
NO_REAL_HOST = (".example", "example.com", ".invalid", ".test", ".DOMAIN", "localhost")
# A home of a person or of this repository on somebody's machine.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:root|work|Users|home/(?!me\b|v\b))\b/?[\w.-]*")


def tracked() -> list[Path]:
    """Every file under version control."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    files = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in files if path.is_file()]


def text_of(path: Path) -> str:
    """Its text; "" for what is none."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_says_why_it_exists_and_is_short(path: Path) -> None:
    source = path.read_text()

    if source:
        assert ast.get_docstring(ast.parse(source)), "it has no docstring"
    assert len(source.splitlines()) <= LONGEST


def test_modules_were_found() -> None:
    assert len(MODULES) > 100


def test_no_file_names_a_path_of_one_machine() -> None:
    found = {
        f"{short(path)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__)
        for match in MACHINE_PATH.finditer(text_of(path))
    }

    assert found == set()


def test_no_file_names_a_host_that_is_not_known() -> None:
    found = {
        f"{short(path)}: {host}"
        for path in tracked()
        for host in URL.findall(text_of(path))
        if not _is_harmless(host.rstrip("."))
    }

    assert found == set()


def _is_harmless(host: str) -> bool:
    if "." not in host or host.endswith(NO_REAL_HOST) or host in KNOWN_HOSTS:
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def test_locked_requirements_have_hashes_and_no_address() -> None:
    locks = [path for path in tracked() if path.suffix == ".lock"]

    assert locks
    for lock in locks:
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"--(extra-)?index-url|--find-links|://", text), short(lock)


def test_documents_are_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    documents = {short(path) for path in (ROOT / "docs").glob("*.md")}

    assert {name for name in documents if name not in readme} == set()
