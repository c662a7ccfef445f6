"""Dockerfiles as Azure's clients write them; whatever else is refused with its line."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.engine_worlds import CONDA, DOCKERFILE
from verdazul.engine.dockerfile import Image, parse, read, sources
from verdazul.model.errors import UserError

BASE = "FROM mcr.microsoft.com/azureml/minimal-py311-inference\n"
SERVER = 'CMD ["runsvdir", "/var/runit"]\n'


def image(text: str, **files: str) -> Image:
    return read(parse(text), {name.replace("_", "."): content for name, content in files.items()})


def refused(text: str, **files: str) -> UserError:
    with pytest.raises(UserError) as caught:
        image(text, **files)
    assert caught.value.problem.code == "DockerfileNotServed"
    return caught.value


def test_azures_own_dockerfile_is_its_image_with_its_conda_file() -> None:
    lines = parse(DOCKERFILE)

    made = image(DOCKERFILE, conda_yml=CONDA)

    assert sources(lines) == ("conda.yml",)
    assert made.recipe.image == "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    assert made.recipe.conda == CONDA


def test_an_image_alone_is_enough() -> None:
    assert image(BASE + SERVER).recipe.conda == ""


def test_debugpy_is_added_to_the_conda_file() -> None:
    more = "RUN conda run -n inf-conda-env pip install debugpy\n"

    made = image(DOCKERFILE + more, conda_yml="dependencies: [pip, {pip: [numpy]}]\n")

    assert yaml.safe_load(made.recipe.conda)["dependencies"] == [
        "pip",
        {"pip": ["numpy", "debugpy"]},
    ]


def test_debugpy_is_added_to_what_an_image_stands_for() -> None:
    made = image(BASE + "RUN pip install debugpy\n" + SERVER)

    *others, pip = yaml.safe_load(made.recipe.conda)["dependencies"]
    assert "python=3.11" in others
    assert {"numpy", "debugpy"} <= set(pip["pip"])


def test_comments_continued_lines_and_small_letters_are_read() -> None:
    text = "# why\n\nfrom a \\\n  as b\nworkdir /x\n"

    assert [(line.number, line.word, line.rest) for line in parse(text)] == [
        (3, "FROM", "a as b"),
        (5, "WORKDIR", "/x"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("RUN apt-get install -y vim", "commands are not run"),
        ("RUN mkdir -p /a && rm -rf /", "commands are not run"),
        ("RUN pip install -r requirements.txt", "commands are not run"),
        ("RUN pip install --index-url http://x numpy", "commands are not run"),
        ("RUN conda env create --file conda.yml -p /opt", "takes -n NAME"),
        ("RUN conda env create --file other.yml", "was not copied"),
        ("RUN 'open", "No closing quotation"),
        ("ENV A=b", "only FROM"),
        ("ENTRYPOINT /bin/sh", "only FROM"),
        ("FROM other", "one FROM"),
        ("COPY --from=x a b", "no flags"),
        ("COPY ../../etc/passwd /x", "not the name of a file"),
        ("COPY *.txt /x", "not the name of a file"),
        ("COPY missing.txt /x", "not in the build context"),
        ("COPY extra.txt /x", "copied only for"),
        ('CMD ["python", "mine.py"]', "always the inference server"),
    ],
)
def test_what_is_not_served_is_refused_with_its_line(line: str, why: str) -> None:
    error = refused(f"FROM image\n{line}\n", extra_txt="x")

    assert error.problem.where == "Dockerfile:2"
    assert why in error.problem.message


def test_a_file_without_from_is_refused() -> None:
    assert "begins with FROM" in refused("WORKDIR /x\n").problem.message
    assert "no instructions" in refused("# nothing\n").problem.message


_words = st.sampled_from(["FROM", "RUN", "CMD", "COPY", "WORKDIR", "ENV", "#", ""])
_rests = st.text(max_size=30) | st.sampled_from(["x", "1", "null", "{}", '["a"]', "a b", "\\"])
_lines = st.lists(st.builds("{} {}".format, _words, _rests), max_size=6)


@settings(deadline=None)  # the first text pays for imports
@given(_lines.map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        image(text)
