"""Datastores: what each type needs, where they lead, and what of them may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verdazul.model.datastore import (
    Credentials,
    CredentialsType,
    DatastoreSpec,
    keep_secret,
    refuse_changed,
    without_our_defaults,
)
from verdazul.model.datastore_bodies import (
    changed_datastore,
    datastore_from_arm,
    datastore_to_arm,
    load_datastore,
    secrets_to_arm,
)
from verdazul.model.entity import datastore_entity
from verdazul.model.errors import UserError

BLOB = {"type": "azure_blob", "account_name": "mymodels", "container_name": "production"}
PRINCIPAL = {"tenant_id": "t", "client_id": "c"}
OURS = "https://localhost:8443/"
ID = "/subscriptions/s/resourceGroups/g/providers/P/workspaces/w/datastores/weights"


def spec(**said: Any) -> DatastoreSpec:
    return DatastoreSpec.model_validate({"name": "weights", **BLOB, **said})


def resource(one: DatastoreSpec) -> dict[str, Any]:
    return {"id": ID, "name": one.name, **datastore_to_arm(one.public)}


def changed(one: DatastoreSpec, *sets: str, removes: Any = ()) -> DatastoreSpec:
    return changed_datastore(resource(one), sets=sets, adds=(), removes=removes, force_string=False)


def refusal(text: str, folder: Path) -> UserError:
    file = folder / "store.yml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        load_datastore(file)
    return error.value


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ({}, "https://mymodels.blob.core.windows.net"),
        ({"endpoint": "core.chinacloudapi.cn"}, "https://mymodels.blob.core.chinacloudapi.cn"),
        (
            {"endpoint": "127.0.0.1:10000", "protocol": "http"},
            "http://127.0.0.1:10000/mymodels",
        ),
        ({"endpoint": "localhost:10000"}, "https://localhost:10000/mymodels"),
        (
            {"account_name": "other.example:8443/store", "endpoint": "x/"},
            "https://other.example:8443/store.blob.x",
        ),
    ],
)
def test_it_leads_to_its_account(said: dict[str, str], url: str) -> None:
    assert spec(**said).url == url
    assert spec(**said).container == "production"


def test_a_wire_body_says_the_same() -> None:
    one = spec(
        credentials={"sas_token": "sv=1"}, description="d", tags={"a": "b"}, properties={"c": "d"}
    )

    assert datastore_from_arm("weights", datastore_to_arm(one)) == one
    assert secrets_to_arm(one) == {"secretsType": "Sas", "sasToken": "sv=1"}
    assert secrets_to_arm(one.public) == {}
    with pytest.raises(UserError, match="properties is missing"):
        datastore_from_arm("weights", {})


def test_what_people_see_is_in_the_words_of_yaml() -> None:
    shown = datastore_entity(resource(spec(credentials={"account_key": "a2V5"})))

    assert (shown["type"], shown["account_name"]) == ("azure_blob", "mymodels")
    assert shown["credentials"] == {"type": "account_key"}
    assert shown["resourceGroup"] == "g"


def test_a_change_keeps_what_it_does_not_name() -> None:
    known = spec(credentials={"account_key": "a2V5"}, tags={"a": "b"})

    more = changed(known, "tags.c=d")
    other = changed(known, "credentials.sas_token=sv=1")
    gone = changed(known, removes=[["credentials"]])

    assert more == known.public.model_copy(update={"tags": {"a": "b", "c": "d"}})
    assert keep_secret(known, more).credentials.secret == "a2V5"
    assert other.credentials == Credentials(type=CredentialsType.SAS, sas_token="sv=1")
    assert gone.credentials.type is CredentialsType.NONE
    with pytest.raises(UserError, match="name cannot change"):
        changed(known, "name=another")


def test_a_secret_stays_with_whom_it_was_given_for() -> None:
    known = spec(credentials={**PRINCIPAL, "client_secret": "s"})
    elsewhere = spec(credentials={**PRINCIPAL, "authority_url": "https://evil.example"})
    newer = spec(credentials={**PRINCIPAL, "client_secret": "new"})

    assert keep_secret(known, elsewhere) == elsewhere
    assert keep_secret(known, newer) == newer
    assert keep_secret(known, known.public) == known
    assert known.public.with_secret("s") == known
    assert spec().with_secret("s") == spec()
    assert "'s'" not in repr(known)


def test_another_place_under_the_same_name_is_refused() -> None:
    refuse_changed(spec(), spec(endpoint="core.windows.net", protocol="https"))
    with pytest.raises(UserError, match="container_name of datastore"):
        refuse_changed(spec(), spec(container_name="other"))


def test_what_a_client_filled_in_for_us_is_azures() -> None:
    told = spec(endpoint="x/", credentials={**PRINCIPAL, "authority_url": OURS})
    home = spec(account_name="other.example/store", endpoint="x/")
    own = spec(endpoint="core.windows.net")

    plain = without_our_defaults(told, suffix="x/", address=OURS)

    assert (plain.endpoint, plain.credentials.authority_url) == ("core.windows.net", None)
    assert without_our_defaults(home, suffix="x/", address=OURS) == home
    assert without_our_defaults(own, suffix="x/", address=OURS) == own


def test_a_secret_that_is_none_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="must be a text that is not empty") as error:
        Credentials.model_validate({"account_key": "hush\0"})
    assert "Credentials" in str(error.value)
    body = datastore_to_arm(spec(credentials={"account_key": "x"}))
    body["properties"]["credentials"]["secrets"]["key"] = "hush\0"
    with pytest.raises(UserError, match=r"secrets\.key must be a text") as told:
        datastore_from_arm("weights", body)
    assert "hush" not in str(told.value)


HEAD = "name: weights\ntype: azure_blob\naccount_name: mymodels\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}container_name: production\nproperties: {{a: b}}\n", "store.yml:5"),
        (f"{HEAD}container_name: production\ncredentials: {{type: sas}}\n", "other keys tell"),
        (f"{HEAD}container_name: production\ncredentials: 3\n", "credentials"),
        (
            f"{HEAD}container_name: production\ncredentials: {{tenant_id: t, client_id: c}}\n",
            "it takes account_key",
        ),
        (f"{HEAD}container_name: production\ncredentials: {{account_key: }}\n", "their secret"),
        (f"{HEAD}\n", "needs container_name"),
        (f"{HEAD}container_name: PRODUCTION\n", "3 to 63 small letters"),
        (
            "name: s\ntype: azure_file\naccount_name: abc\nfile_share_name: x\n",
            "azure_file is not supported yet",
        ),
        (
            "{name: s, type: one_lake, one_lake_workspace_name: w, endpoint: e}",
            "one_lake is not supported yet",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_said_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    error = refusal(text, tmp_path)

    assert said in f"{error} {error.problem.where} {error.problem.details}"


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "store.yml"
    file.write_text(f"{HEAD}container_name: production\n")

    found = load_datastore(file, name="other", sets=["credentials.sas_token=sv=1"])

    assert (found.name, found.credentials.secret) == ("other", "sv=1")


def test_a_home_is_the_account_that_its_name_ends_with() -> None:
    assert spec(account_name="other.example/store", endpoint="x/").account == "store"
