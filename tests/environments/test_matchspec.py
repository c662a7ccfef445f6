from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from verdazul.environments.matchspec import BadSpec, parse_spec
from verdazul.environments.names import on_pypi
from verdazul.environments.piplines import parse_pip_line


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("numpy", "numpy"),
        ("numpy *", "numpy"),
        ("numpy=*=*cuda*", "numpy"),
        ("python=3.12", "python==3.12.*"),
        ("scikit-learn=1.5.*", "scikit-learn==1.5.*"),
        ("scikit-learn 1.5.*", "scikit-learn==1.5.*"),
        ("pandas==2.0", "pandas==2.0"),
        ("pandas 2.0", "pandas==2.0"),
        ("pandas=2.0.3", "pandas==2.0.3.*"),
        ("numpy>=1.20", "numpy>=1.20"),
        ("numpy >= 1.20 , < 2", "numpy>=1.20,<2"),
        ("numpy>=1.20.*,!=1.21.*", "numpy>=1.20,!=1.21.*"),
        ("pandas~=1.5.3", "pandas~=1.5.3"),
        ("conda-forge::joblib=1.2.0=py312_0", "joblib==1.2.0"),
        ("conda-forge/linux-64::joblib 1.2.0 py312_0", "joblib==1.2.0"),
        ("https://conda.example/forge::joblib=1.2", "joblib==1.2.*"),
        ("numpy[version='>=1.2,<2',build=py_0]", "numpy>=1.2,<2"),
        ("foo=1.0rc1", "foo==1.0rc1.*"),
    ],
)
def test_conda_requirement_in_pip_words(entry: str, expected: str) -> None:
    spec = parse_spec(entry)

    assert f"{spec.name}{spec.specifiers}" == expected


_numbers = st.lists(st.integers(0, 99), min_size=2, max_size=4)
_versions = _numbers.map(lambda numbers: ".".join(map(str, numbers)))
_operators = st.sampled_from(["=", "==", ">=", "<=", ">", "<", "!=", "~=", " ", " >="])


@given(st.lists(st.tuples(_operators, _versions, st.sampled_from(["", ".*"])), max_size=3))
def test_accepted_requirements_are_valid_for_pip(clauses: list[tuple[str, str, str]]) -> None:
    entry = "numpy" + ",".join("".join(clause) for clause in clauses)
    try:
        spec = parse_spec(entry)
    except BadSpec:
        return
    assert Requirement(f"{spec.name}{spec.specifiers}").name == "numpy"


@given(_versions, st.integers(0, 50))
def test_single_equals_means_starts_with(version: str, more: int) -> None:
    matched = SpecifierSet(parse_spec(f"numpy={version}").specifiers)

    assert version in matched
    assert f"{version}.{more}" in matched
    assert f"{version}{more or 1}" not in matched or version.endswith(".0")


@given(st.text())
def test_any_text_is_a_requirement_or_refused(text: str) -> None:
    try:
        spec = parse_spec(text)
    except BadSpec:
        return
    Requirement(f"{spec.name.strip('_.-') or 'x'}{spec.specifiers}")


@given(st.text())
def test_pip_line_is_one_line_without_files_or_variables(text: str) -> None:
    try:
        line = parse_pip_line(text)
    except BadSpec:
        return
    assert len(line.text.splitlines()) <= 1
    assert not line.text.startswith(("-r", "-c", "-e", "--req", "--con", "--edit", ".", "/"))


@given(st.from_regex(r"[a-z][a-z0-9_.-]{0,10}[a-z0-9]", fullmatch=True))
def test_names_that_are_not_in_the_table_stay_as_they_are(name: str) -> None:
    found = on_pypi(name)
    assume(found is not None)

    assert found == name or on_pypi(str(found)) is not None


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [
        ("pytorch", "torch"),
        ("py-xgboost", "xgboost"),
        ("opencv", "opencv-python-headless"),
        ("tensorflow-gpu", "tensorflow"),
        ("ruamel_yaml", "ruamel.yaml"),
        ("lightgbm", "lightgbm"),
        ("librosa", "librosa"),
        ("setuptools", "setuptools"),
        ("cudatoolkit", None),
        ("_libgcc_mutex", None),
        ("ld_impl_linux-64", None),
        ("libstdcxx-ng", None),
        ("r-base", None),
    ],
)
def test_conda_names_on_pypi(conda: str, pypi: str | None) -> None:
    assert on_pypi(conda) == pypi
