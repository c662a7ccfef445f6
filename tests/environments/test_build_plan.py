"""Which image means what, which Python is chosen, and what shares an environment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from verdazul.core.environment import Recipe
from verdazul.environments.images import known_image
from verdazul.environments.interpreters import Interpreter, choose, discover, fits
from verdazul.environments.plan import ingredients, plan
from verdazul.model.errors import UserError

BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
FOUND = tuple(
    Interpreter(version, f"/python/{version}")
    for version in [(3, 9, 18), (3, 11, 2), (3, 11, 7), (3, 13, 0)]
)


def conda(*entries: str) -> str:
    return "dependencies:\n" + "".join(f"  - {entry}\n" for entry in entries)


@pytest.mark.parametrize(
    ("image", "python", "package"),
    [
        ("mcr.microsoft.com/azureml/minimal-ubuntu20.04-py38-cpu-inference", "3.8", "numpy"),
        ("mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:12", "3.9", "numpy"),
        (
            "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cuda11.8-gpu-inference",
            "3.9",
            "numpy",
        ),
        ("mcr.microsoft.com/azureml/minimal-py312-inference", "3.12", "numpy"),
        ("mcr.microsoft.com/azureml/mlflow-py312-inference", "3.12", "mlflow"),
        ("mcr.microsoft.com/azureml/curated/sklearn-1.5:35", "3.10", "scikit-learn~=1.5.0"),
        (
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            "3.10",
            "scikit-learn~=1.5.0",
        ),
        (
            "azureml://registries/azureml/environments/sklearn-1.0/versions/3",
            "3.9",
            "scikit-learn~=1.0.0",
        ),
        ("azureml://registries/azureml/environments/lightgbm-3.3", "3.10", "lightgbm>=4.6.0"),
    ],
)
def test_known_images_mean_packages(image: str, python: str, package: str) -> None:
    known = known_image(image)

    assert known is not None
    assert known.python == python
    assert package in known.requirements


@pytest.mark.parametrize(
    "image",
    [
        BASE,
        "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04",
        "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04@sha256:00",
    ],
)
def test_base_images_bring_no_packages(image: str) -> None:
    assert ingredients(Recipe(image)).requirements == ()
    assert ingredients(Recipe(image, conda("six"))).requirements == ("six",)


def test_unknown_image_alone_is_refused_and_known_ones_are_told() -> None:
    with pytest.raises(UserError, match=r"'docker.io/me/own:1' is not one.*sklearn-1.5") as caught:
        ingredients(Recipe("docker.io/me/own:1"))

    assert caught.value.problem.code == "ImageBuildFailure"
    assert "conda_file" in caught.value.problem.fix


def test_curated_image_says_which_of_its_packages_are_there() -> None:
    recipe = Recipe("mcr.microsoft.com/azureml/curated/sklearn-1.5:35")

    assert "scikit-learn~=1.5.0" in ingredients(recipe).notes[0]


def test_unknown_image_with_a_conda_file_is_noted() -> None:
    notes = ingredients(Recipe("docker.io/me/own:1", conda("six"))).notes

    assert "image 'docker.io/me/own:1' is not run here" in notes[-1]


def test_conda_file_decides_on_python_and_the_image_only_without_it() -> None:
    image = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference"

    assert plan(Recipe(image, conda("python=3.13")), FOUND).interpreter.minor == "3.13"
    assert plan(Recipe(image, conda("six")), FOUND).interpreter.minor == "3.9"


@pytest.mark.parametrize(
    ("asked", "version", "advice"),
    [
        ("==3.11.*", (3, 11, 7), None),
        ("==3.11.2", (3, 11, 2), None),
        (">=3.9,<3.11", (3, 9, 18), None),
        (">=3.9", (3, 11, 7), None),
        ("", (3, 11, 7), None),
        (None, (3, 11, 7), None),
        ("==3.11", (3, 11, 7), None),
        ("==3.11.5", (3, 11, 7), "asks for Python 3.11.5; this machine has 3.11.7: using it"),
        ("==3.12.*", (3, 13, 0), "has 3.13.0: using it. Install 3.12 to match"),
        ("==3.8.*", (3, 9, 18), "Install 3.8 to match"),
        ("<3.9", (3, 9, 18), "Install 3.8 to match"),
        (">=3.14", (3, 13, 0), "Install 3.14 to match"),
        ("==2.7.*", (3, 9, 18), "Install 2.7 to match"),
    ],
)
def test_nearest_python_is_taken_and_another_one_is_told(
    asked: str | None, version: tuple[int, int, int], advice: str | None
) -> None:
    chosen, note = choose(asked, FOUND, ours=(3, 11))

    assert chosen.version == version
    assert bool(note) == bool(advice)
    assert (advice or "") in note


_minor = st.tuples(st.just(3), st.integers(0, 20), st.integers(0, 20))
_clause = st.builds(
    "{}3.{}{}".format,
    st.sampled_from(["==", ">=", "<=", ">", "<", "!=", "~="]),
    st.integers(0, 20),
    st.sampled_from(["", ".0", ".7"]),
)
_open = st.builds("{}3.{}.*".format, st.sampled_from(["==", "!="]), st.integers(0, 20))


@given(_minor, st.lists(_clause | _open, max_size=3))
def test_fits_agrees_with_pep_440(version: tuple[int, int, int], clauses: list[str]) -> None:
    specifiers = ",".join(clauses)

    expected = ".".join(map(str, version)) in SpecifierSet(specifiers)

    assert fits(specifiers, version) == expected


def test_same_packages_share_an_environment_however_they_are_written() -> None:
    one = plan(Recipe(BASE, conda("python=3.11", "six", "joblib=1.2")), FOUND)
    other = plan(Recipe("", "name: x\n" + conda("joblib 1.2.*", "python=3.11", "six")), FOUND)

    assert one.digest == other.digest


def test_other_packages_pythons_or_index_give_another_environment() -> None:
    recipes = [
        conda("six"),
        conda("six==1.16.0"),
        conda("python=3.9", "six"),
        conda("six", "pip: [--pre]"),
        conda("six", "pip: ['-i https://index.example/simple']"),
    ]

    assert len({plan(Recipe("", text), FOUND).digest for text in recipes}) == len(recipes)


def test_patch_release_of_python_keeps_the_environment() -> None:
    recipe = Recipe("", conda("python=3.11", "six"))

    assert plan(recipe, FOUND[:2]).digest == plan(recipe, FOUND[:3]).digest


def test_machine_without_python_is_told() -> None:
    with pytest.raises(UserError, match="no Python"):
        plan(Recipe("", conda("six")), ())


def test_discovery_finds_pythons_that_run() -> None:
    found = discover()

    assert found
    assert list(found) == sorted(found)
    assert all(one.version >= (3, 9, 0) for one in found)
    assert discover() == found
