"""Conda files: one self-contained text, and mistakes in them with their own line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.model.factories import deployment_folder, said

from verdazul.model.errors import UserError
from verdazul.model.load import load_deployment, read_conda


def conda(folder: Path, text: str, **files: str) -> Any:
    """What a conda file with these requirement files beside it comes to."""
    (folder / "conda.yaml").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content)
    return yaml.safe_load(read_conda("conda.yaml", base=folder))


def test_layout_and_comments_do_not_count(tmp_path: Path) -> None:
    one = "dependencies:\n  - python=3.12  # why\n  - pip\n"
    other = "dependencies: [python=3.12, pip]\n"

    assert conda(tmp_path, one) == conda(tmp_path, other)


def test_requirement_files_are_written_into_it(tmp_path: Path) -> None:
    found = conda(
        tmp_path,
        "dependencies: [python=3.12, {pip: [joblib, -r one.txt, --requirement=two.txt]}]\n",
        one="# numbers\nnumpy>=1 # fast\n\n-r two.txt\n",
        two="pandas \\\n  >=2 \\\n  --hash=sha256:00\nhttps://x/y.whl#egg=y\n",
    )

    two = ["pandas >=2 --hash=sha256:00", "https://x/y.whl#egg=y"]
    assert found["dependencies"][1]["pip"] == ["joblib", "numpy>=1", *two, *two]


def test_requirements_file_is_as_good_as_a_conda_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("joblib\n")

    found = yaml.safe_load(read_conda("requirements.txt", base=tmp_path))

    assert found == {"dependencies": ["pip", {"pip": ["joblib"]}]}


def test_conda_may_stand_in_the_deployment_itself(tmp_path: Path) -> None:
    file = deployment_folder(tmp_path)
    text = file.read_text().replace(
        "conda_file: ../environment/conda.yaml",
        "conda_file:\n    dependencies: [python=3.12, {pip: [-r ../environment/r.txt]}]",
    )
    file.write_text(text)
    (tmp_path / "environment" / "r.txt").write_text("joblib\n")

    environment = load_deployment(file).environment

    assert not isinstance(environment, str | None)
    assert environment.conda_text == "dependencies:\n- python=3.12\n- pip:\n  - joblib\n"


@pytest.mark.parametrize(
    ("text", "code", "line", "message"),
    [
        (
            "depndencies: [a]\ndependencies: [a]\n",
            "UnknownKey",
            1,
            "unknown key `depndencies` in a conda file; did you mean `dependencies`?",
        ),
        (
            "dependencies: [a]\nqqq: 1\n",
            "UnknownKey",
            2,
            (
                "unknown key `qqq` in a conda file; known keys: name, channels, dependencies, "
                "variables, prefix"
            ),
        ),
        (
            "name: x\n",
            "MissingKey",
            1,
            "a conda file needs `dependencies`, a list such as `- python=3.12`",
        ),
        (
            "dependencies: python\n",
            "InvalidValue",
            1,
            'dependencies is "python"; it must be a list',
        ),
        (
            "dependencies: [a]\nchannels: conda-forge\n",
            "InvalidValue",
            2,
            'channels is "conda-forge"; it must be a list',
        ),
        (
            "dependencies:\n- a\n- pop: [b]\n",
            "InvalidValue",
            3,
            (
                "dependencies[1] is neither a package such as python=3.12 nor a mapping `pip:` "
                "with a list of requirements"
            ),
        ),
        (
            "dependencies:\n- pip: b\n",
            "InvalidValue",
            2,
            (
                "dependencies[0] is neither a package such as python=3.12 nor a mapping `pip:` "
                "with a list of requirements"
            ),
        ),
        (
            "dependencies:\n- pip:\n  - ./own.whl\n",
            "NotSupportedYet",
            2,
            'the requirement "./own.whl" points to a file beside it, which is not supported',
        ),
        (
            "dependencies:\n- pip: [-c limits.txt]\n",
            "NotSupportedYet",
            2,
            'the requirement "-c limits.txt" points to a file beside it, which is not supported',
        ),
        ("a: 1\na: 2\n", "DuplicateKey", 2, "the key `a` is there twice, first in line 1"),
        (
            "dependencies:\n\t- a\n",
            "InvalidYaml",
            2,
            "a tab at column 1: YAML forbids tabs for indentation",
        ),
    ],
)
def test_mistake_is_told_with_the_line_of_the_conda_file(
    tmp_path: Path, text: str, code: str, line: int, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        conda(tmp_path, text)

    assert said(caught.value) == [(code, f"{tmp_path / 'conda.yaml'}:{line}", message)]


def test_missing_requirements_are_told_with_the_line_that_asks(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        conda(tmp_path, "dependencies:\n- pip:\n  - -r one.txt\n", one="joblib\n-r gone.txt\n")

    assert said(caught.value) == [
        (
            "PathNotFound",
            f"{tmp_path / 'one.txt'}:2",
            f'the requirement file is "gone.txt", but there is no {tmp_path / "gone.txt"}',
        )
    ]


def test_requirements_that_include_themselves_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        conda(tmp_path, "dependencies:\n- pip: [-r one.txt]\n", one="-r two.txt", two="-r one.txt")

    assert said(caught.value) == [
        ("InvalidValue", f"{tmp_path / 'two.txt'}:1", f"{tmp_path / 'one.txt'} includes itself")
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "conda_file is empty; it must be a path or a mapping"),
        ("", "conda_file is empty; it must be a path or a mapping"),
        (["a"], "conda_file is a list; it must be a path or a mapping"),
        ("a: 1\nb: 2\n", "conda_file is a text of several lines; it must be a path or a mapping"),
    ],
)
def test_value_that_is_neither_path_nor_mapping_is_told(
    tmp_path: Path, value: object, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_conda(value, base=tmp_path)

    assert said(caught.value) == [("InvalidValue", "", message)]


def test_mistakes_in_the_conda_file_and_in_the_deployment_are_told_together(tmp_path: Path) -> None:
    file = deployment_folder(tmp_path)
    (tmp_path / "environment" / "conda.yaml").write_text("dependencies: [a]\nq: 1\nz: 1\n")

    with pytest.raises(UserError) as caught:
        load_deployment(file, sets=["instance_count=0"])

    assert [code for code, _, _ in said(caught.value)] == [
        "UnknownKey",
        "UnknownKey",
        "InvalidValue",
    ]
