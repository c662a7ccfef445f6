"""ARM templates: expressions, parameters, order; and what is refused, with its place."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.arm_expression import InvalidTemplate, Json, evaluate
from verdazul.model.arm_functions import FUNCTIONS
from verdazul.model.template import Place, Plan, read_template

ML = "Microsoft.MachineLearningServices/workspaces"
PLACE = Place(
    "s-1", "rg", "local", (f"{ML}/onlineEndpoints".lower(), f"{ML}/models/versions".lower())
)
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def template(*resources: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **parts}


def endpoint(name: str = "w/credit", **fields: Any) -> dict[str, Any]:
    return {"type": f"{ML}/onlineEndpoints", "apiVersion": "2023-10-01", "name": name, **fields}


def read(told: Any, **given_values: Any) -> Plan:
    return read_template(told, {name: {"value": v} for name, v in given_values.items()}, PLACE)


def refusal(told: Any, **given_values: Any) -> InvalidTemplate:
    with pytest.raises(InvalidTemplate) as caught:
        read(told, **given_values)
    return caught.value


def value(text: str) -> Any:
    return evaluate(text, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("[[literal]", "[literal]"),
        ("['it''s']", "it's"),
        ("[concat('a', 'b', 1)]", "ab1"),
        ("[concat(createArray('a'), createArray('b'))]", ["a", "b"]),
        ("[format('{0}-{1}-{0}', 'a', 2)]", "a-2-a"),
        ("[toLower(substring('ABCDE', 1, 3))]", "bcd"),
        ("[split('a/b', '/')[1]]", "b"),
        ("[createObject('Name', 'x').name]", "x"),
        ("[if(equals('a', 'A'), 1, if(not(empty('')), 2, 3))]", 3),
        ("[length(union(createArray(1, 2), createArray(2, 3)))]", 3),
        ("[contains(createObject('K', 1), 'k')]", True),
        ('[json(\'{"a": [1, {"b": 2}]}\').a[1].b]', 2),
        ("[and(true(), or(false(), bool('true')))]", True),
        ("[int('-7')]", -7),
        ("[coalesce(null(), 'x')]", "x"),
        ("[string(true())]", "True"),
        ("[string(createArray(1, null()))]", "[1,null]"),
        ("[contains('abc', 'b')]", True),
        ("[contains(createArray('a'), 'b')]", False),
        ("[union(createObject('a', 1), createObject('b', 2))]", {"a": 1, "b": 2}),
        ("[replace('a-b', '-', '+')]", "a+b"),
        ("[equals(1, 1)]", True),
        ("[equals(1, true())]", False),
        ("[startsWith('Credit', 'cr')]", True),
        ("[base64('x')]", "eA=="),
        ("[equals(uniqueString('a'), uniqueString('a'))]", True),
        ("[length(uniqueString('a', 'b'))]", 13),
        ("[join(createArray('a', 'b'), ', ')]", "a, b"),
        ("[ concat( 'a' , 'b' ) ]", "ab"),
    ],
)
def test_expressions_are_what_azure_says(text: str, expected: Any) -> None:
    assert value(text) == expected


def test_expressions_are_replaced_wherever_they_stand() -> None:
    told: Json = {"[concat('k', 1)]": ["[toUpper('x')]", {"a": "[int('3')]"}, 1, None]}

    assert evaluate(told, FUNCTIONS) == {"k1": ["X", {"a": 3}, 1, None]}


@given(st.text(max_size=30))
def test_a_text_that_is_no_expression_stays(text: str) -> None:
    assert value(f"x{text}") == f"x{text}"
    assert value(f"[['{text}]") == f"['{text}]"


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_text_in_an_expression_is_itself(text: str) -> None:
    quoted = text.replace("'", "''")

    assert value(f"['{quoted}']") == text


@given(st.text("[]()',.abc019- ", max_size=40))
def test_whatever_is_written_is_evaluated_or_refused(text: str) -> None:
    try:
        value(f"[{text}]")
    except InvalidTemplate:
        return


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[toLowwer('x')]", "did you mean tolower?"),
        ("[concat('a']", "the expression needs"),
        ("[concat('a'))]", "an end before"),
        ("[]", "a function"),
        ("['a'.b]", "has no"),
        ("[createArray(1)[5]]", "no [5]"),
        ("[createObject('a', 1).b]", "there are a"),
        ("[int('x')]", 'int("x") cannot be'),
        ("[substring(1, 2)]", "cannot be"),
        ("[contains(1, 2)]", "contains nothing"),
        ("[union(1, 2)]", "all must be lists"),
        ("[createObject('a')]", "in pairs"),
        ("[int(true())]", "no number"),
        ("[bool('maybe')]", "neither true nor false"),
        ("[toLower()]", "cannot be"),
        ("[environment()]", "is not known here"),
        ("[" + "concat(" * 200 + ")" * 200 + "]", "deep"),
        ("[concat('" + "x" * 30_000 + "')]", "over 24576"),
        ("[replace('" + "a" * 9000 + "', 'a', '" + "b" * 9000 + "')]", "cannot be"),
    ],
)
def test_what_cannot_be_evaluated_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        value(text)

    assert said in caught.value.problem.message + caught.value.problem.fix


def test_a_bomb_of_doubling_variables_is_refused() -> None:
    names = [f"v{n}" for n in range(60)]
    variables: dict[str, Any] = {"v0": "x" * 1000}
    variables |= {
        name: f"[concat(variables('{before}'), variables('{before}'))]"
        for before, name in pairwise(names)
    }

    error = refusal(template(endpoint("[variables('v59')]"), variables=variables))

    assert "over 131072" in error.problem.message


@pytest.mark.parametrize("join", ["createArray", "concat"])
def test_a_bomb_of_doubling_lists_is_refused(join: str) -> None:
    names = [f"v{n}" for n in range(60)]
    variables: dict[str, Any] = {"v0": [1]}
    variables |= {
        name: f"[{join}(variables('{before}'), variables('{before}'))]"
        for before, name in pairwise(names)
    }
    told = template(endpoint(properties={"a": "[variables('v59')]"}), variables=variables)

    assert "it would take more than" in refusal(told).problem.message


def test_many_copies_of_one_long_text_are_refused() -> None:
    copies = ["[variables('x')]"] * 1000
    told = template(endpoint(properties={"a": copies}), variables={"x": "y" * 100_000})

    assert "it would take more than" in refusal(told).problem.message


def test_what_is_nested_without_end_is_refused() -> None:
    nested: Any = {}
    for _ in range(200):
        nested = {"a": nested}

    assert "nested more than" in refusal(template(endpoint(properties=nested))).problem.message


def test_places_of_other_groups_and_subscriptions_can_be_named() -> None:
    provider = f"{ML}/onlineEndpoints"
    outputs = {
        name: {"type": "string", "value": f"[resourceId({first}'{provider}', 'w', 'c')]"}
        for name, first in {"own": "", "group": "'g', ", "both": "'s-9', 'g', "}.items()
    } | {"mine": {"type": "string", "value": "[subscription().subscriptionId]"}}
    found = read(template(outputs=outputs)).results(lambda _id: {})

    told = {name: one["value"] for name, one in found.items() if isinstance(one, dict)}
    rest = f"/providers/{ML}/w/onlineEndpoints/c"
    assert told["mine"] == "s-1"
    assert str(told["own"]).startswith("/subscriptions/s-1/resourceGroups/rg/")
    assert str(told["group"]).startswith("/subscriptions/s-1/resourceGroups/g/")
    assert str(told["both"]).startswith("/subscriptions/s-9/resourceGroups/g/")
    assert all(str(told[name]).endswith(rest) for name in ("own", "group", "both"))


def test_what_is_not_wanted_need_not_be_there_for_those_who_need_it() -> None:
    needs = endpoint("w/b", dependsOn=["w/a", "a", "W/A"])
    told = template(endpoint("w/a", condition="[parameters('wanted')]"), needs)
    told["parameters"] = {"wanted": {"type": "bool"}}

    assert [len(read(told, wanted=wanted).resources) for wanted in (True, False)] == [2, 1]


def test_what_is_there_already_may_be_needed() -> None:
    there = f"[resourceId('{ML}/onlineEndpoints', 'w', 'there')]"

    assert len(read(template(endpoint(dependsOn=[there]))).resources) == 1


def test_a_plan_has_ids_bodies_and_outputs() -> None:
    told = template(
        endpoint(
            "[concat(parameters('workspace'), '/', variables('name'))]",
            location="[resourceGroup().location]",
            properties={"description": "[parameters('secret')]"},
            condition="[parameters('wanted')]",
        ),
        parameters={
            "workspace": {"type": "string", "defaultValue": "w"},
            "secret": {"type": "secureString"},
            "wanted": {"type": "bool", "defaultValue": True},
        },
        variables={"name": "[toLower(concat(parameters('workspace'), 'CREDIT'))]"},
        outputs={
            "id": {"type": "string", "value": f"[resourceId('{ML}/onlineEndpoints', 'w', 'c')]"},
            "uri": {"type": "string", "value": "[reference('w/wcredit').scoringUri]"},
        },
    )
    plan = read(told, secret="hush")

    (resource,) = plan.resources
    root = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.MachineLearningServices"
    assert resource.id == f"{root}/workspaces/w/onlineEndpoints/wcredit"
    assert plan.body(resource, lambda _id: {}) == {
        "location": "local",
        "properties": {"description": "hush"},
    }
    assert plan.parameters == {"workspace": "w", "wanted": True}
    assert "hush" not in repr(plan)
    assert plan.results(lambda _id: {"scoringUri": "https://x"}) == {
        "id": {"type": "string", "value": f"{root}/workspaces/w/onlineEndpoints/c"},
        "uri": {"type": "string", "value": "https://x"},
    }
    assert read(told, secret="hush", wanted=False).resources == ()


@given(st.permutations(range(6)), st.data())
def test_whatever_is_needed_comes_before(order: list[int], data: st.DataObject) -> None:
    needs = {n: data.draw(st.sets(st.sampled_from(range(n)))) if n else set() for n in range(6)}
    told = template(*(endpoint(f"w/e{n}", dependsOn=[f"w/e{m}" for m in needs[n]]) for n in order))

    names = [resource.id.rpartition("/e")[2] for resource in read(told).resources]

    assert sorted(names) == [str(n) for n in range(6)]
    assert all(names.index(str(m)) < names.index(str(n)) for n in needs for m in needs[n])


@pytest.mark.parametrize(
    ("told", "said", "where"),
    [
        ([], "it must be an object", ""),
        ({"resources": []}, "needs $schema", ""),
        (template(functions=[]), "functions is not supported", ""),
        (template(endpoint(copy={})), "copy is not supported", "resources[0]"),
        (template(endpoint(), resources={}), "it must be a list", "resources"),
        (template(endpoint("credit")), "needs 2 parts", "resources[0].name"),
        (template(endpoint("w/")), "needs 2 parts", "resources[0].name"),
        (template(endpoint(type=f"{ML}/onlineEndpoint")), "did you mean", "resources[0].type"),
        (template(endpoint(type="Microsoft.Web/sites")), "not made here", "resources[0].type"),
        (template(endpoint(), endpoint()), "is there twice", "resources[1]"),
        (template(endpoint(condition="yes")), "not true or false", "resources[0].condition"),
        (
            template(outputs={"o": {"type": "int", "value": 1, "condition": False}}),
            "condition is not supported",
            "outputs.o",
        ),
        (
            template(parameters={"n": {"type": "int", "defaultValue": 1, "nullable": True}}),
            "nullable is not supported",
            "parameters.n",
        ),
        (template(endpoint(dependsOn="w/a")), "must be a list", "resources[0].dependsOn"),
        (template(endpoint("[variables('nope')]")), "no variable", ""),
        (template(endpoint("[parameters('nope')]")), "no parameter", ""),
        (
            template(endpoint(properties={"a": f"[resourceId('{ML}/onlineEndpoints', 'w')]"})),
            "needs 2 names",
            "resources[0].properties.a",
        ),
        (template(*[endpoint(f"w/e{n}") for n in range(801)]), "801 resources", ""),
        (template(endpoint(dependsOn=["w/other"])), "no resource of the template", "resources[0]"),
        (
            template(endpoint("w/a", dependsOn=["b"]), endpoint("w/b", dependsOn=["w/a"])),
            "a -> b -> a",
            "",
        ),
        (
            template(variables={"a": "[variables('b')]", "b": "[variables('a')]"})
            | {"resources": [endpoint("[variables('a')]")]},
            "in a circle",
            "",
        ),
        (
            template(endpoint(properties={"a": [{"b": "[nope()]"}]})),
            "nope is not known",
            "resources[0].properties.a[0].b",
        ),
        (template(endpoint("[reference('x').y]")), "properties and outputs", "resources[0].name"),
        (template(parameters={"n": {"type": "text"}}, resources=[]), "n has no value", ""),
        (
            template(parameters={"n": {"type": "text", "defaultValue": ""}}),
            "must be one of string",
            "parameters.n",
        ),
        (template(outputs={"o": {"type": "int", "value": "[oops()]"}}), "oops", "outputs.o"),
    ],
)
def test_a_template_that_cannot_be_says_where(told: Any, said: str, where: str) -> None:
    problem = refusal(told).problem

    assert said in problem.message + problem.fix
    assert problem.where == where


@pytest.mark.parametrize(
    ("declared", "given_value", "said"),
    [
        ({"type": "int"}, "3", "of type int"),
        ({"type": "int"}, True, "of type int"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "must be one of"),
        ({"type": "int", "minValue": 3}, 2, "minValue is 3"),
        ({"type": "int", "maxValue": 3}, 4, "maxValue is 3"),
        ({"type": "string", "maxLength": 2}, "abc", "maxLength is 2"),
        ({"type": "array", "minLength": 1}, [], "minLength is 1"),
    ],
)
def test_parameters_are_held_to_what_is_declared(
    declared: dict[str, Any], given_value: Any, said: str
) -> None:
    problem = refusal(template(parameters={"n": declared}), n=given_value).problem

    assert said in problem.message
    assert problem.where == "parameters.n"


def test_a_secret_is_not_told_when_it_is_refused() -> None:
    declared = {"type": "secureString", "maxLength": 2}

    assert "hush" not in str(refusal(template(parameters={"n": declared}), n="hush").problem)


def test_unknown_parameters_are_refused_with_the_nearest() -> None:
    told = template(parameters={"endpointName": {"type": "string"}})

    assert "did you mean endpointName?" in refusal(told, endpointname2="x").problem.fix
    with pytest.raises(InvalidTemplate, match="value"):
        read_template(told, {"endpointName": {"reference": {}}}, PLACE)
    assert read(told, ENDPOINTNAME="x").parameters == {"endpointName": "x"}
