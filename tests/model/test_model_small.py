"""Names, traffic, instance types, ids and references."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.model.factories import (
    MODEL,
    WORKSPACE,
    endpoint,
    names,
    splits,
)

from verdazul.model.assets import is_address, is_reference
from verdazul.model.errors import UserError
from verdazul.model.ids import (
    AssetId,
    RegistryReference,
    ShortReference,
    WorkspaceId,
    parse_asset,
    parse_id,
)
from verdazul.model.names import check_name, name_problem, same_name
from verdazul.model.skus import INSTANCE_TYPES, instance_type, small_sku_warning
from verdazul.model.traffic import check_traffic, parse_traffic


@pytest.mark.azure(3)
@pytest.mark.parametrize("name", ["abc", "A-b", "a" * 32, "a1-2-3"])
def test_names_that_azure_takes_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.azure(3)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a", "has 1 character."),
        ("", "has 0 characters."),
        ("a" * 33, "has 33 characters."),
        ("abc-", "ends with '-'"),
        ("-abc", "starts with '-'"),
        ("a_b", "has the character '_'"),
        ("a.b", "has the character '.'"),
        ("müll", "has the character '\\xfc'"),
        ("abc\n", "has the character '\\n'"),
        ("x" * 1000, "..."),
    ],
)
def test_names_that_azure_refuses_are_refused(name: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_name(name, what="deployment")

    assert caught.value.problem.code == "InvalidName"
    assert words in caught.value.problem.message
    assert "The name for a deployment must" in caught.value.problem.message


@given(names)
def test_spelling_does_not_make_another_name(name: str) -> None:
    assert same_name(name, name.upper())
    assert name_problem(name) is None


def test_traffic_is_spelled_as_the_deployments_are() -> None:
    found = check_traffic({"BLUE": 90, "green": 10}, ["Blue", "Green", "canary"])

    assert found == {"Blue": 90, "Green": 10, "canary": 0}


def test_unknown_deployment_in_traffic_is_told_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        check_traffic({"gren": 100}, ["blue", "green"], endpoint="credit")

    problem = caught.value.problem
    assert problem.code == "InvalidTraffic"
    assert problem.message == (
        'traffic names deployment "gren", which endpoint "credit" does not have'
    )
    assert problem.fix == "did you mean green? its deployments: blue, green"


@pytest.mark.azure(20)
def test_traffic_before_any_deployment_is_told() -> None:
    with pytest.raises(UserError, match="create the deployment first"):
        check_traffic({"blue": 100}, [])


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        (
            {"blue": 90, "green": 20},
            'traffic for endpoint "credit" sums to 110; it must be 100 (blue=90, green=20)',
        ),
        (
            {"blue": 101},
            'traffic for endpoint "credit" gives blue 101; it must be a whole number from 0 to 100',
        ),
        (
            {"blue": True},
            (
                'traffic for endpoint "credit" gives blue true; '
                "it must be a whole number from 0 to 100"
            ),
        ),
        (
            {"blue": 50, "BLUE": 50},
            'traffic for endpoint "credit" names one deployment twice: blue and BLUE',
        ),
    ],
)
@pytest.mark.azure(17)
def test_traffic_that_breaks_a_rule_is_told(traffic: dict[str, int], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_traffic(traffic, ["blue", "green"], endpoint="credit")

    assert (caught.value.problem.code, caught.value.problem.message) == ("InvalidTraffic", message)


@given(splits())
def test_every_split_to_100_or_0_is_kept(split: dict[str, int]) -> None:
    found = check_traffic({name.upper(): part for name, part in split.items()}, split)

    assert found == split
    assert parse_traffic(" ".join(f"{name}={part}" for name, part in split.items())) == split
    assert endpoint(traffic=split).traffic == split


@given(splits(), st.integers(1, 99))
def test_every_other_sum_is_refused(split: dict[str, int], more: int) -> None:
    name = next(iter(split))
    assume(split[name] + more <= 100)
    wrong = {**split, name: split[name] + more}
    assume(sum(wrong.values()) != 100)

    with pytest.raises(UserError, match="it must be 100"):
        check_traffic(wrong, wrong)
    with pytest.raises(ValidationError):
        endpoint(traffic=wrong)


def test_traffic_of_the_command_line_is_read() -> None:
    assert parse_traffic("blue=90 green=10") == {"blue": 90, "green": 10}
    assert parse_traffic(["blue=90", "green=10"]) == {"blue": 90, "green": 10}


@pytest.mark.parametrize("text", ["", "blue", "blue=", "=90", "blue=90%", "blue=1 blue=2", "a=1.5"])
def test_traffic_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_traffic(text)

    assert caught.value.problem.code == "InvalidTraffic"


@pytest.mark.parametrize(
    ("name", "cpus", "memory", "gpus", "family"),
    [
        ("standard_ds3_V2", 4, 14, 0, "standardDSv2Family"),
        ("Standard_DS1_v2", 1, 3.5, 0, "standardDSv2Family"),
        ("Standard_D96as_v4", 96, 384, 0, "standardDASv4Family"),
        ("Standard_D2a_v4", 2, 8, 0, "standardDAv4Family"),
        ("Standard_E32s_v3", 32, 256, 0, "standardESv3Family"),
        ("Standard_E64s_v3", 64, 432, 0, "standardESv3Family"),
        ("Standard_F72s_v2", 72, 144, 0, "standardFSv2Family"),
        ("Standard_FX4mds", 4, 84, 0, "standardFXMDVSFamily"),
        ("Standard_L80as_v3", 80, 640, 0, "standardLASv3Family"),
        ("Standard_NC16as_T4_v3", 16, 110, 1, "standard NCASv3_T4 Family"),
        ("Standard_NC96ads_A100_v4", 96, 880, 4, "standardNCADSA100v4Family"),
        ("Standard_NC12s_v3", 12, 224, 2, "standardNCSv3Family"),
        ("Standard_ND40rs_v2", 40, 672, 8, "standardNDSv2Family"),
        ("Standard_ND96amsr_A100_v4", 96, 1900, 8, "standard NDAMSv4_A100Family"),
        ("Standard_NV6ads_A10_v5", 6, 55, 1 / 6, "standardNVADSA10v5Family"),
        ("Standard_NC80adis_H100_v5", 80, 640, 2, "standardNCADSH100v5Family"),
        ("STANDARD_ND96ISR_H100_V5", 96, 1900, 8, "standardNDv5H100Family"),
    ],
)
def test_instance_types_grant_what_azure_grants(
    name: str, cpus: int, memory: float, gpus: float, family: str
) -> None:
    found = instance_type(name)

    assert (found.cpus, found.memory_gib, found.gpus, found.family) == (cpus, memory, gpus, family)


def test_instance_types_are_all_different() -> None:
    assert len({known.name.lower() for known in INSTANCE_TYPES}) == len(INSTANCE_TYPES) == 85


def test_unknown_instance_type_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError) as near:
        instance_type("DS3_v2")
    with pytest.raises(UserError) as far:
        instance_type("?")

    assert near.value.problem.code == "InvalidInstanceType"
    assert near.value.problem.fix.startswith("nearest: Standard_DS3_v2")
    assert far.value.problem.fix == "use one such as Standard_DS3_v2"


@pytest.mark.azure(75)
def test_small_instance_types_are_warned_of() -> None:
    assert small_sku_warning("standard_ds1_v2") == (
        "instance_type Standard_DS1_v2 has 1 core and 3.5 GiB: often too little for a model "
        "and its server; Standard_DS3_v2 or larger is advised (SmallSKUs)"
    )
    assert "2 cores and 7 GiB" in (small_sku_warning("Standard_DS2_v2") or "")
    assert small_sku_warning("Standard_DS3_v2") is None


HOME = WorkspaceId("s1", "rg1", "w1")


@pytest.mark.parametrize(
    "one",
    [
        HOME,
        HOME.endpoint("credit"),
        HOME.endpoint("credit").deployment("blue"),
        HOME.asset("codes", "c", "1"),
        HOME.asset("models", "m", "2"),
        HOME.asset("environments", "e", "v.3"),
    ],
)
def test_ids_are_read_in_any_case_and_written_in_one(one: object) -> None:
    text = str(one)

    assert parse_id(text) == one
    assert parse_id(f"azureml:{text}/") == one
    fixed = ("subscriptions", "resourceGroups", "onlineEndpoints", "deployments", "versions")
    lower = text.replace("Microsoft.MachineLearningServices", "microsoft.machinelearningservices")
    for word in fixed:
        lower = lower.replace(f"/{word}/", f"/{word.upper()}/")
    assert str(parse_id(lower)) == text


@pytest.mark.parametrize("text", ["", "/", "x", WORKSPACE + "/jobs/1", MODEL + "/x", "azureml:m:1"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_id(text)

    assert caught.value.problem.code == "InvalidId"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("azureml:credit:3", ShortReference("credit", version="3")),
        ("azureml:credit@latest", ShortReference("credit", label="latest")),
        (MODEL, AssetId(HOME, "models", "m1", "1")),
        (
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            RegistryReference("azureml", "environments", "sklearn-1.5", label="latest"),
        ),
        (
            "azureml://registries/r/models/m/versions/1",
            RegistryReference("r", "models", "m", version="1"),
        ),
    ],
)
def test_asset_references_are_read_and_written(text: str, expected: object) -> None:
    assert parse_asset(text) == expected
    assert str(parse_asset(text)) == text
    assert is_reference(text)


@pytest.mark.parametrize("text", [WORKSPACE, "./model", "azureml:credit", "azureml:a:b:c"])
def test_what_names_no_asset_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_asset(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("azureml://datastores/d/paths/m", True),
        ("https://x/y", True),
        ("./model", False),
        ("/abs/model", False),
        ("a:b", False),
    ],
)
def test_addresses_are_told_from_folders(text: str, *, expected: bool) -> None:
    assert is_address(text) is expected
