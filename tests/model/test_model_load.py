"""Loading YAML: realistic files, paths, names and flags (mistakes: test_model_mistakes.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.factories import (
    DEPLOYMENT_YAML,
    ENDPOINT_YAML,
    deployment,
    deployment_folder,
    endpoint,
    endpoint_file,
    problems,
    said,
)

from verdazul.model.assets import InlineEnvironment, InlineModel
from verdazul.model.deployment import CodeConfiguration, ProbeSettings
from verdazul.model.endpoint import AuthMode
from verdazul.model.errors import UserError
from verdazul.model.load import (
    deployment_from_mapping,
    endpoint_from_mapping,
    load_deployment,
    load_endpoint,
)


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    return deployment_folder(tmp_path)


@pytest.mark.azure(6)
def test_minimal_endpoint_is_loaded(tmp_path: Path) -> None:
    assert load_endpoint(endpoint_file(tmp_path)) == endpoint()


@pytest.mark.azure(6)
@pytest.mark.parametrize("spelling", ["key", "Key", "KEY"])
def test_auth_mode_is_read_in_any_case(tmp_path: Path, spelling: str) -> None:
    spec = load_endpoint(endpoint_file(tmp_path, f"name: credit\nauth_mode: {spelling}\n"))

    assert spec.auth_mode is AuthMode.KEY


def test_texts_are_kept_as_written(tmp_path: Path) -> None:
    text = "name: credit\ndescription: 1.10\ntags: {a: 1, b: on, c: 007}\nproperties: {p: 1e3}\n"

    spec = load_endpoint(endpoint_file(tmp_path, text))

    assert spec.description == "1.10"
    assert spec.tags == {"a": "1", "b": "on", "c": "007"}
    assert spec.properties == {"p": "1e3"}


@pytest.mark.azure(54, 55)
def test_realistic_deployment_is_loaded(blue: Path) -> None:
    root = blue.parents[1]

    spec = load_deployment(blue)

    assert spec.model == InlineModel(path=str(root / "model"))
    assert spec.code_configuration == CodeConfiguration(
        code=str(root / "src"), scoring_script="score.py"
    )
    assert isinstance(spec.environment, InlineEnvironment)
    assert spec.environment.conda_text == (
        "name: model-env\nchannels:\n- conda-forge\ndependencies:\n- python=3.12\n- pip\n"
        "- pip:\n  - scikit-learn==1.5.2\n  - joblib\n"
    )
    assert spec.environment_variables == {"LOG_LEVEL": "debug"}
    assert (spec.instance_count, spec.request_settings.request_timeout_ms) == (2, 3000)
    assert spec.liveness_probe == ProbeSettings(initial_delay=5, period=7)
    assert spec.readiness_probe == ProbeSettings(failure_threshold=3)


def test_names_of_the_command_line_win(blue: Path, tmp_path: Path) -> None:
    spec = load_deployment(blue, name="green", endpoint_name="fraud")

    assert (spec.name, spec.endpoint_name) == ("green", "fraud")
    assert load_endpoint(endpoint_file(tmp_path), name="fraud").name == "fraud"


def test_file_without_names_takes_them_from_the_command_line(blue: Path) -> None:
    blue.write_text("\n".join(blue.read_text().splitlines()[3:]))

    assert load_deployment(blue, name="blue", endpoint_name="credit").name == "blue"


def test_deployment_by_references_needs_no_folders(tmp_path: Path) -> None:
    file = tmp_path / "d.yml"
    file.write_text(
        "name: blue\nendpoint_name: credit\nmodel: azureml:m@latest\nenvironment: azureml:e:3\n"
        "code_configuration: {code: azureml:c:1, scoring_script: score.py}\n"
        "instance_type: STANDARD_DS3_V2\n"
    )

    spec = load_deployment(file)

    assert (spec.model, spec.environment) == ("azureml:m@latest", "azureml:e:3")
    assert spec.instance_type == "Standard_DS3_v2"


def test_model_at_an_address_is_left_alone(blue: Path) -> None:
    spec = load_deployment(blue, sets=["model.path=azureml://datastores/d/paths/m"])

    assert isinstance(spec.model, InlineModel)
    assert spec.model.path == "azureml://datastores/d/paths/m"


def test_script_without_environment_is_told(tmp_path: Path) -> None:
    start, end = DEPLOYMENT_YAML.index("environment:\n"), DEPLOYMENT_YAML.index("environment_var")
    file = deployment_folder(tmp_path, DEPLOYMENT_YAML[:start] + DEPLOYMENT_YAML[end:])

    with pytest.raises(UserError, match="missing key `environment`: a scoring script needs one"):
        load_deployment(file)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = DEPLOYMENT_YAML.replace("../model/", "../modle/").replace("instance_count", "count")
    file = deployment_folder(tmp_path, text.replace("name: blue", "name: blue\nname: b"))

    with pytest.raises(UserError) as caught:
        load_deployment(file, sets=["tags.a=[1]"])

    assert caught.value.problem.message == f"4 problems in {file}"
    assert [(each.code, each.where) for each in problems(caught.value)] == [
        ("DuplicateKey", f"{file}:3"),
        ("PathNotFound", f"{file}:6"),
        ("UnknownKey", f"{file}:18"),
        ("InvalidValue", "--set tags.a=[1]"),
    ]


def test_path_that_leads_nowhere_is_told_with_what_is_there(tmp_path: Path) -> None:
    file = deployment_folder(tmp_path, DEPLOYMENT_YAML.replace("../src", "../srcs"))

    with pytest.raises(UserError) as caught:
        load_deployment(file)

    problem = caught.value.problem
    assert problem.code == "PathNotFound"
    assert problem.message == (
        f'code_configuration.code is "../srcs", but there is no {tmp_path / "srcs"}'
    )
    assert problem.fix == f"did you mean {tmp_path / 'src'}?"


def test_path_in_an_empty_or_unlike_folder_is_told(blue: Path) -> None:
    root = blue.parents[1]
    (root / "void").mkdir()
    for name in "abcdefg":
        (root / "src" / name).write_text("")

    with pytest.raises(UserError) as empty:
        load_deployment(blue, sets=["model.path=../void/x"])
    with pytest.raises(UserError) as full:
        load_deployment(blue, sets=["model.path=../src/zzz/yyy"])

    assert empty.value.problem.fix == f"{root / 'void'} is empty"
    assert full.value.problem.fix == f"{root / 'src'} holds a, b, c, d, e, ..."


@pytest.mark.parametrize("path", ["a\\0b", "x" * 5000])
def test_path_that_no_file_system_takes_is_told(blue: Path, path: str) -> None:
    with pytest.raises(UserError) as caught:
        load_deployment(blue, sets=[f'model.path="{path}"'.replace("\\0", "\\u0000")])

    assert problems(caught.value)[0].code == "PathNotFound"


def test_code_that_is_a_file_is_told(blue: Path) -> None:
    with pytest.raises(UserError, match="a file; it must be a folder"):
        load_deployment(blue, sets=["code_configuration.code=../src/score.py"])


def test_missing_or_misplaced_scoring_script_is_told(blue: Path) -> None:
    (blue.parents[1] / "src" / "zzz").mkdir()

    with pytest.raises(UserError) as missing:
        load_deployment(blue, sets=["code_configuration.scoring_script=scor.py"])
    with pytest.raises(UserError, match="is a folder"):
        load_deployment(blue, sets=["code_configuration.scoring_script=zzz"])

    assert missing.value.problem.code == "PathNotFound"
    assert missing.value.problem.where == "--set code_configuration.scoring_script=scor.py"
    assert missing.value.problem.fix.endswith("src/score.py?")


def test_missing_file_is_told_with_its_neighbour(blue: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_deployment(blue.with_suffix(".yaml"))

    problem = caught.value.problem
    assert (problem.code, problem.fix) == ("FileNotFound", f"did you mean {blue}?")


def test_what_is_no_yaml_file_is_told(tmp_path: Path, blue: Path) -> None:
    binary = tmp_path / "model.pkl"
    binary.write_bytes(b"ok\n\x80\x03")
    large = tmp_path / "large.yml"
    large.write_text("a" * 2_000_000)

    with pytest.raises(UserError) as folder:
        load_endpoint(blue.parent)
    with pytest.raises(UserError) as pickle:
        load_endpoint(binary)
    with pytest.raises(UserError) as huge:
        load_endpoint(large)
    with pytest.raises(UserError) as below:
        load_endpoint(blue / "x.yml")
    with pytest.raises(UserError) as impossible:
        load_endpoint(tmp_path / ("x" * 5000))

    assert (folder.value.problem.code, folder.value.problem.fix) == (
        "FileNotFound",
        f"{blue.parent} holds blue.yml",
    )
    assert (pickle.value.problem.code, pickle.value.problem.where) == ("InvalidYaml", f"{binary}:2")
    assert huge.value.problem.code == "InvalidYaml"
    assert below.value.problem.code == "FileNotFound"
    assert impossible.value.problem.code == "FileNotFound"


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = endpoint_file(tmp_path, "\ufeff" + ENDPOINT_YAML)

    assert load_endpoint(file).name == "credit"


def test_endpoint_needs_no_file() -> None:
    spec = endpoint_from_mapping({"name": "credit", "auth_mode": "key"}, sets=["tags.a=1"])

    assert spec == endpoint(tags={"a": "1"})


def test_what_a_flag_made_is_told_by_the_flag(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_endpoint(endpoint_file(tmp_path), sets=["traffic.blue=50"])

    assert said(caught.value) == [
        (
            "InvalidTraffic",
            "--set traffic.blue=50",
            'traffic for endpoint "credit" sums to 50; it must be 100 (blue=50)',
        )
    ]


def test_what_is_inside_of_a_flag_is_told_by_the_flag(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_endpoint(endpoint_file(tmp_path), sets=['tags={"a": [1]}'])

    assert caught.value.problem.where == '--set tags={"a": [1]}'


def test_environment_of_an_image_alone_is_loaded(blue: Path) -> None:
    spec = load_deployment(blue, removes=[["environment.conda_file"]])

    assert isinstance(spec.environment, InlineEnvironment)
    assert spec.environment.conda_text is None


@pytest.mark.azure(62)
def test_stored_spec_can_be_changed_by_flags() -> None:
    stored = deployment(tags={"a": "1"}, instance_count=2)

    changed = deployment_from_mapping(stored.to_mapping(), sets=["instance_count=3"])

    assert changed == stored.model_copy(update={"instance_count": 3})
    assert deployment_from_mapping(stored.to_mapping()) == stored


def test_loaded_spec_survives_its_own_mapping(blue: Path) -> None:
    spec = load_deployment(blue)

    assert deployment_from_mapping(spec.to_mapping()) == spec


def test_mistake_without_a_file_names_the_flag() -> None:
    with pytest.raises(UserError) as caught:
        deployment_from_mapping(deployment().to_mapping(), sets=["instance_count=99"])

    assert said(caught.value) == [
        (
            "InvalidValue",
            "--set instance_count=99",
            'instance_count is "99"; it must be a whole number from 1 to 50',
        )
    ]


def test_mistake_without_file_and_flag_has_no_place() -> None:
    with pytest.raises(UserError) as caught:
        endpoint_from_mapping({"name": "x"})

    assert caught.value.problem.where == ""


LINES = DEPLOYMENT_YAML.splitlines()
INDENTED = [number for number, line in enumerate(LINES) if not line.startswith("      ")]


@pytest.mark.azure(1, 54)
@given(st.sampled_from(INDENTED), st.from_regex(r"zq[a-z_]{0,12}", fullmatch=True))
def test_unknown_key_anywhere_is_refused_with_its_line(number: int, key: str) -> None:
    free = {"environment_variables", "tags"}
    indent = LINES[number][: len(LINES[number]) - len(LINES[number].lstrip())]
    above = next(line for line in reversed(LINES[: number + 1]) if not line.startswith(" "))
    lines = [*LINES[:number], f"{indent}{key}: 1", *LINES[number:]]

    with pytest.raises(UserError) as caught:
        _load_text("\n".join(lines) + "\n")

    if indent and above.rstrip(":") in free:
        return
    assert [(each.code, each.where) for each in problems(caught.value) if key in each.message] == [
        ("UnknownKey", f"text.yml:{number + 1}")
    ]


def _load_text(text: str) -> None:
    """As load_deployment does, in a folder that has nothing: paths are problems too."""
    from verdazul.model import load
    from verdazul.model.document import read_document
    from verdazul.model.source import Source

    document = read_document(text, "text.yml")
    source = Source("text.yml", document.tree, Path("/nowhere"), document.lines)
    load._deployment(source)
