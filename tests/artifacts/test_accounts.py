"""Files in storage accounts elsewhere: fetched whole or not at all, refused with cause and cure."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.artifacts.storage_account import KEY, Account, serving
from verdazul.artifacts.account_credentials import credential_of
from verdazul.artifacts.accounts import AzureAccounts
from verdazul.artifacts.arrivals import Arrivals
from verdazul.core.blobs import Elsewhere
from verdazul.model.datastore import Credentials, CredentialsType, DatastoreSpec
from verdazul.model.errors import Forbidden, NotFound, Retryable, UserError, VerdazulError

OTHER_KEY = base64.b64encode(b"another").decode()
SAS = CredentialsType.SAS
NONE = Credentials(type=CredentialsType.NONE)


@pytest.fixture
def account() -> Iterator[Account]:
    files = {
        "m/credit/model.pkl": b"weights",
        "m/credit/sub/a b.txt": b"text",
        "m/credit/empty": b"",
        "m/credit-2/model.pkl": b"another",
        "m/big": os.urandom(9 << 20),
    }
    with serving(Account(blobs=files)) as one:
        yield one


@pytest.fixture
def accounts(tmp_path: Path) -> AzureAccounts:
    Arrivals(tmp_path).start()
    return AzureAccounts(tmp_path, retries=0, identity=lambda: pytest.fail("identity was asked"))


def gather(
    accounts: AzureAccounts, store: DatastoreSpec, path: str, *, under_its_name: bool = True
) -> dict[str, bytes]:
    staged = Path(
        asyncio.run(accounts.gather(Elsewhere(store, path), under_its_name=under_its_name))
    )
    files = (each for each in staged.rglob("*") if each.is_file())
    return {each.relative_to(staged).as_posix(): each.read_bytes() for each in files}


def refused(accounts: AzureAccounts, store: DatastoreSpec, path: str = "m/credit") -> VerdazulError:
    with pytest.raises(VerdazulError) as error:
        gather(accounts, store, path)
    return error.value


def opened(type_: CredentialsType, **keys: Any) -> Credentials:
    return Credentials(type=type_, **keys)


def signed(accounts: AzureAccounts, store: DatastoreSpec, seconds: float = 600.0) -> DatastoreSpec:
    query = accounts.signature(store, seconds=seconds)
    return store.model_copy(update={"credentials": opened(SAS, sas_token=query)})


CREDIT = {"credit/model.pkl": b"weights", "credit/sub/a b.txt": b"text", "credit/empty": b""}


def test_a_folder_is_fetched_under_its_name_and_not_what_only_begins_so(
    accounts: AzureAccounts, account: Account
) -> None:
    assert gather(accounts, account.store(), "m/credit") == CREDIT


def test_code_lies_at_the_top(accounts: AzureAccounts, account: Account) -> None:
    found = gather(accounts, account.store(), "m/credit/sub", under_its_name=False)

    assert found == {"a b.txt": b"text"}


def test_one_large_file_arrives_in_pieces(accounts: AzureAccounts, account: Account) -> None:
    found = gather(accounts, account.store(), "m/big")

    assert found == {"big": account.blobs["m/big"]}
    assert account.asked.count("GET /mymodels/production/m/big") > 2


def test_a_signature_made_of_the_key_opens_it(accounts: AzureAccounts, account: Account) -> None:
    store = signed(accounts, account.store())

    assert gather(accounts, store, "m/credit") == CREDIT
    question = opened(SAS, sas_token="?" + store.credentials.secret)
    assert gather(accounts, account.store(credentials=question), "m/credit") == CREDIT


def test_what_is_public_needs_nothing_and_tells_nobody_who_we_are(
    accounts: AzureAccounts, account: Account
) -> None:
    account.is_public = True

    assert gather(accounts, account.store(credentials=NONE), "m/credit") == CREDIT


def test_folders_of_a_hierarchical_namespace_are_no_files(
    accounts: AzureAccounts, account: Account
) -> None:
    account.folders = {"m/credit/sub", "m/credit/void"}

    assert gather(accounts, account.store(), "m/credit") == CREDIT


def test_gen2_is_read_through_its_blob_endpoint(accounts: AzureAccounts, account: Account) -> None:
    store = account.store(type="azure_data_lake_gen2", container_name=None, filesystem="production")

    assert gather(accounts, store, "m/credit") == CREDIT


def test_what_may_be_run_stays_so(
    accounts: AzureAccounts, account: Account, tmp_path: Path
) -> None:
    account.executables = {"m/credit/model.pkl"}

    gather(accounts, account.store(), "m/credit")

    (file,) = tmp_path.glob("arriving/*/credit/model.pkl")
    assert file.stat().st_mode & 0o100


@pytest.mark.parametrize(
    "credentials",
    [
        opened(CredentialsType.ACCOUNT_KEY, account_key=OTHER_KEY),
        opened(CredentialsType.ACCOUNT_KEY, account_key="no base64!"),
        opened(SAS, sas_token="sp=rl&se=2099-01-01T00:00:00Z&sr=c&sig=wrong"),
        NONE,
    ],
    ids=lambda one: one.type.value,
)
def test_a_credential_that_opens_nothing_is_said_and_how_to_change_it(
    accounts: AzureAccounts, account: Account, credentials: Credentials
) -> None:
    error = refused(accounts, account.store(credentials=credentials))

    assert error.problem.code == "DatastoreForbidden"
    assert "datastore update" in error.problem.fix
    assert not credentials.secret or credentials.secret not in str(error)


def test_an_expired_signature_is_forbidden(accounts: AzureAccounts, account: Account) -> None:
    error = refused(accounts, signed(accounts, account.store(), seconds=-60.0))

    assert isinstance(error, Forbidden)
    assert "AuthenticationFailed" in str(error)


def test_what_is_not_there_is_named(accounts: AzureAccounts, account: Account) -> None:
    nothing = refused(accounts, account.store(), "m/none")
    container = refused(accounts, account.store(container_name="other"))

    assert isinstance(nothing, NotFound)
    assert nothing.problem.code == "BlobNotFound"
    assert "m/none" in str(nothing)
    assert container.problem.code == "ContainerNotFound"
    assert "other" in str(container)


def test_an_account_that_is_nowhere_is_told_from_one_that_does_not_answer(
    accounts: AzureAccounts, account: Account
) -> None:
    nowhere = refused(accounts, account.store(endpoint="nowhere.invalid"))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        silent = refused(accounts, account.store(endpoint=f"127.0.0.1:{held.getsockname()[1]}"))

    assert nowhere.problem.code == silent.problem.code == "DatastoreUnreachable"
    assert "DNS" in nowhere.problem.fix
    assert "nothing answers" in str(silent)


@pytest.mark.parametrize("name", ["m/bad/../../../x", "m/bad//etc/x", "m/bad/./x"])
def test_no_name_leads_out_of_the_folder(
    accounts: AzureAccounts, account: Account, tmp_path: Path, name: str
) -> None:
    account.blobs[name] = b"evil"

    error = refused(accounts, account.store(), "m/bad")

    assert error.problem.code == "InvalidPath"
    assert list(tmp_path.glob("arriving/*")) == []


def test_a_file_that_is_also_a_folder_is_refused(
    accounts: AzureAccounts, account: Account, tmp_path: Path
) -> None:
    account.blobs |= {"m/odd/a": b"1", "m/odd/a/b": b"2"}

    assert isinstance(refused(accounts, account.store(), "m/odd"), Retryable | UserError)
    assert list(tmp_path.glob("arriving/*")) == []


def test_a_fetch_that_breaks_off_leaves_nothing(
    accounts: AzureAccounts, account: Account, tmp_path: Path
) -> None:
    account.cut = 3

    assert isinstance(refused(accounts, account.store(), "m/big"), Retryable)
    assert list(tmp_path.glob("arriving/*")) == []


def test_more_than_there_is_room_for_is_not_begun(
    accounts: AzureAccounts, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verdazul.artifacts.accounts._RESERVE_BYTES", 1 << 60)

    error = refused(accounts, account.store(), "m/big")

    assert error.problem.code == "NoRoomToFetch"
    assert "GET /mymodels/production/m/big" not in account.asked


def test_more_files_than_anybody_means_are_refused(
    accounts: AzureAccounts, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verdazul.artifacts.accounts._MOST_BLOBS", 2)

    assert refused(accounts, account.store()).problem.code == "TooManyFiles"


def test_a_check_opens_it_and_reads_nothing(accounts: AzureAccounts, account: Account) -> None:
    asyncio.run(accounts.check(account.store()))

    assert account.asked == ["GET /mymodels/production"]
    with pytest.raises(Forbidden):
        asyncio.run(accounts.check(account.store(credentials=NONE)))


def test_a_credential_says_its_secret_to_nobody_who_prints_it(account: Account) -> None:
    assert KEY not in repr(account.store())


@pytest.mark.parametrize(
    ("said", "is_shown"),
    [
        ({"account_name": "mymodels", "endpoint": None, "protocol": None}, True),
        ({"account_name": "mymodels", "endpoint": "core.usgovcloudapi.net"}, True),
        ({"account_name": "mymodels", "endpoint": None, "protocol": "http"}, False),
        ({"account_name": "mymodels", "endpoint": "other.example"}, False),
        ({"account_name": "other.example/x", "endpoint": None}, False),
        ({"account_name": "other.example:8443/x", "endpoint": "core.windows.net"}, False),
    ],
)
def test_this_machines_identity_is_shown_to_azures_accounts_only(
    said: dict[str, Any],
    is_shown: bool,  # noqa: FBT001
) -> None:
    store = Account().store(**{"protocol": "https", "credentials": NONE, **said})

    assert credential_of(store, identity=lambda: "token", retries=0) == (
        "token" if is_shown else None
    )
