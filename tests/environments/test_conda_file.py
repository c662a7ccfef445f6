from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from verdazul.environments.conda import parse_conda
from verdazul.model.errors import UserError

TYPICAL = """\
name: model-env
channels:
  - conda-forge
dependencies:
  - python=3.12
  - numpy=1.26
  - conda-forge::joblib=1.2.0=py312_0
  - pytorch
  - libgcc-ng=12
  - gcc_linux-64
  - pip
  - pip:
      - azureml-inference-server-http
      - "six[extra]>=1.0 ; python_version > '3.0'"
      - --extra-index-url https://user:secret@pypi.example/simple
      - git+https://git.example/a/b.git@v1#egg=b
"""


def refusal(text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        parse_conda(text)
    assert caught.value.problem.code == "InvalidCondaFile"
    return caught.value


def entry(line: str) -> str:
    return f"dependencies:\n  - python=3.12\n  - {line}\n"


def test_typical_file_becomes_pip_requirements() -> None:
    file = parse_conda(TYPICAL)

    assert file.python == "==3.12.*"
    assert file.requirements == (
        "numpy==1.26.*",
        "joblib==1.2.0",
        "torch",
        "pip",
        "azureml-inference-server-http",
        "six[extra]>=1.0 ; python_version > '3.0'",
        "git+https://git.example/a/b.git@v1#egg=b",
    )
    assert file.options == ("--extra-index-url https://user:secret@pypi.example/simple",)


def test_every_difference_is_noted() -> None:
    assert parse_conda(TYPICAL).notes == (
        "system packages of the conda file are not installed: gcc_linux-64, libgcc-ng",
        "conda packages are taken from PyPI: joblib, numpy, pip, pytorch (as torch)",
        "conda's build strings are not used: joblib=py312_0",
    )


def test_files_from_windows_editors_are_read() -> None:
    assert parse_conda("\ufeff" + TYPICAL.replace("\n", "\r\n")) == parse_conda(TYPICAL)


def test_pip_line_wins_over_conda_line_for_the_same_package() -> None:
    file = parse_conda("dependencies: [pytorch=1.0, {pip: [Torch==2.1]}]")

    assert file.requirements == ("Torch==2.1",)
    assert file.notes == ("the `pip:` list decides on packages named twice: pytorch",)


def test_variables_and_unknown_keys_are_noted() -> None:
    file = parse_conda("dependencies: [six]\nvariables: {A: b}\nfoo: 1\n")

    assert "`variables` of the conda file are not set" in file.notes[0]
    assert file.notes[1] == "not known in a conda file, and not used: foo"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("numpy=1.5|1.6", "alternatives"),
        ("numpy=1.2.3.x=1=2", "not a version"),
        ("3.12", "not a package requirement"),
        ("[a, b]", "a list"),
        ("'>=1.0'", "must begin with a package name"),
        ("numpy>=", "not a version"),
        ("numpy>=1,,<2", "empty part"),
        ("pip: six", "must hold a list"),
        ("conda: [six]", "only `pip:`"),
        ("pip: ['-r requirements.txt']", "not part of the conda file"),
        ("pip: ['-e .']", "not part of the conda file"),
        ("pip: [./local.whl]", "is a path"),
        ("pip: ['pkg @ file:///etc/pkg.whl']", "is a path"),
        ("pip: ['--index-url https://${TOKEN}@index.example']", "${TOKEN}"),
        ("pip: ['--find-links /srv/wheels']", "http(s) URL"),
        ("pip: ['--target /tmp']", "not understood"),
        ('pip: ["six\\n-r /etc/passwd"]', "several lines"),
        ("pip: [six six]", "not a pip requirement"),
        ("pip: [5]", "not a package requirement"),
    ],
)
def test_entry_that_cannot_be_used_is_named_with_its_line(line: str, says: str) -> None:
    problem = refusal(entry(line)).problem

    assert problem.where == "conda_file line 3"
    assert says in problem.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a mapping"),
        ("- a\n- b", "must be a mapping"),
        ("name: x", "no list `dependencies`"),
        ("dependencies: [a]\ndependencies: [b]", "given twice"),
        ("dependencies: six", "no list `dependencies`"),
        ("dependencies: [six", "not one"),
        ("a: " + "[" * 20_000, "nested too deeply"),
        ("dependencies: [six]\n#" + "x" * 1_000_001, "characters"),
        ("dependencies: [\0]", "not one"),
    ],
)
def test_text_that_is_no_conda_file_is_refused(text: str, says: str) -> None:
    assert says in refusal(text).problem.message


def test_passwords_do_not_reach_messages() -> None:
    error = refusal(entry("pip: ['--trusted https://user:secret@index.example']"))

    assert "secret" not in str(error)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_conda(text)
    except UserError as error:
        assert error.problem.code == "InvalidCondaFile"  # noqa: PT017 - either outcome is fine


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.lists(_values | st.fixed_dictionaries({"pip": st.lists(_values)})))
def test_requirements_never_span_lines_or_read_files(entries: list[object]) -> None:
    try:
        file = parse_conda(yaml.safe_dump({"dependencies": entries}))
    except UserError:
        return
    lines = (*file.requirements, *file.options)
    assert all(len(line.splitlines()) <= 1 for line in lines)
    assert not any(line.startswith(("-r", "-c", "-e")) for line in lines)
