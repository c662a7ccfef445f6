"""Packages that conda holds to numpy 1 are held to it here, and only those."""

from __future__ import annotations

import pytest

from verdazul.environments.conda import parse_conda


def requirements(*entries: str, pip: str = "") -> tuple[str, ...]:
    lines = "".join(f"- {entry}\n" for entry in entries)
    return parse_conda(f"dependencies:\n- pip\n{lines}{pip}").requirements


@pytest.mark.parametrize(
    "entry",
    ["scikit-learn=1.2.2", "scikit-learn==1.4.1", "pandas=1.5", "scipy>=1.7,<1.9", "scipy<1.13"],
)
@pytest.mark.parametrize("numpy", ["numpy", "numpy>=1.20", "joblib"])
def test_what_was_built_for_numpy_1_gets_it(entry: str, numpy: str) -> None:
    assert "numpy<2" in requirements(entry, numpy)


@pytest.mark.parametrize(
    "entry",
    ["scikit-learn=1.4", "scikit-learn==1.4.2", "pandas", "pandas>=1.5", "scipy<2", "xgboost=1.7"],
)
def test_what_may_be_newer_is_left_alone(entry: str) -> None:
    assert "numpy<2" not in requirements(entry, "numpy")


def test_a_numpy_that_is_asked_for_decides() -> None:
    assert "numpy<2" not in requirements("scikit-learn=1.2.2", "numpy=2.1")
    pip = "- pip:\n  - numpy==2.1.0\n"
    assert "numpy<2" not in requirements("scikit-learn=1.2.2", pip=pip)


def test_it_is_said() -> None:
    notes = parse_conda("dependencies:\n- scikit-learn=1.2.2\n- pandas=1.5\n").notes

    held = "numpy is held below 2, as conda does for pandas==1.5.*, scikit-learn==1.2.2.*"
    assert held in notes
