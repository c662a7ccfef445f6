"""Datastores as YAML, as ARM bodies and as people are shown them: spellings of one spec.

YAML is taken as Azure's SDK takes it, no key more and none less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verdazul.model.datastore import (
    ArtifactType,
    CredentialsType,
    DatastoreSpec,
    DatastoreType,
    refuse_unread,
)
from verdazul.model.errors import Problem, UserError
from verdazul.model.problems import refuse
from verdazul.model.show import Key, shown
from verdazul.model.source import Source, name_it, opened, override, spec_of
from verdazul.model.wire import Row, Table, read, validated, words, write

_TYPES = words(DatastoreType)
_CREDENTIALS = words(CredentialsType)
_IDENTITY = "properties.serviceDataAccessAuthIdentity"
TABLE = Table(
    (
        Row("properties.datastoreType", "type", _TYPES),
        Row("properties.accountName", "account_name"),
        Row("properties.containerName", "container_name"),
        Row("properties.filesystem", "filesystem"),
        Row("properties.fileShareName", "file_share_name"),
        Row("properties.storeName", "store_name"),
        Row("properties.oneLakeWorkspaceName", "one_lake_workspace_name"),
        Row("properties.artifact.artifactName", "artifact.name"),
        Row("properties.artifact.artifactType", "artifact.type", words(ArtifactType)),
        Row("properties.endpoint", "endpoint"),
        Row("properties.protocol", "protocol"),
        Row("properties.credentials.credentialsType", "credentials.type", _CREDENTIALS),
        Row("properties.credentials.tenantId", "credentials.tenant_id"),
        Row("properties.credentials.clientId", "credentials.client_id"),
        Row("properties.credentials.authorityUrl", "credentials.authority_url"),
        Row("properties.credentials.resourceUrl", "credentials.resource_url"),
        Row("properties.credentials.thumbprint", "credentials.thumbprint"),
        Row("properties.credentials.secrets.key", "credentials.account_key"),
        Row("properties.credentials.secrets.sasToken", "credentials.sas_token"),
        Row("properties.credentials.secrets.clientSecret", "credentials.client_secret"),
        Row("properties.credentials.secrets.certificate", "credentials.certificate"),
        Row("properties.description", "description"),
        Row("properties.tags", "tags"),
        Row("properties.properties", "properties"),
    ),
    frozenset(
        {
            *("id", "name", "type", "systemData"),
            *("properties.isDefault", _IDENTITY),
            "properties.credentials.secrets.secretsType",
        }
    ),
)
"""Which key is which; what is `dropped` only servers write."""

# What Azure's schema lets each type be opened with, in a file.
_STORAGE = {CredentialsType.ACCOUNT_KEY, CredentialsType.SAS, CredentialsType.NONE}
_TENANT = {
    CredentialsType.SERVICE_PRINCIPAL,
    CredentialsType.CERTIFICATE,
    CredentialsType.NONE,
}
_OPENED_BY: Mapping[DatastoreType, set[CredentialsType]] = {
    DatastoreType.BLOB: _STORAGE,
    DatastoreType.FILE: _STORAGE,
    DatastoreType.GEN1: _TENANT,
    DatastoreType.GEN2: _TENANT,
    DatastoreType.ONE_LAKE: _TENANT - {CredentialsType.CERTIFICATE},
}


def load_datastore(
    file: Path, *, name: str | None = None, sets: Sequence[str] = ()
) -> DatastoreSpec:
    """The datastore that a YAML file and flags describe. Raises UserError naming file:line."""
    source = opened(file)
    override(source, sets=sets, adds=(), removes=(), force_string=False)
    name_it(source, name=name)
    _refuse_what_files_do_not_hold(source)
    spec = spec_of(DatastoreSpec, source)
    _check_credentials(spec, source)
    refuse_unread(spec, where=source.where(("type",)))
    return spec


def changed_datastore(
    resource: Mapping[str, Any],
    *,
    sets: Sequence[str],
    adds: Sequence[Sequence[str]],
    removes: Sequence[Sequence[str]],
    force_string: bool,
) -> DatastoreSpec:
    """A stored datastore after flags; without a new secret. Raises UserError naming the flag."""
    stored = spelled(resource)
    before = dict(stored["credentials"])
    kind = stored["credentials"].pop("type", None)
    source = Source("the datastore", stored, Path())
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    after = source.tree.get("credentials")
    if isinstance(after, dict) and {**after, "type": kind} == before:
        source.tree["credentials"] = before  # untouched: its keys alone would not tell its type
    spec = spec_of(DatastoreSpec, source)
    if spec.name != resource["name"]:
        raise UserError(
            f"name cannot change from {resource['name']} to {spec.name}",
            code="ImmutableProperty",
            fix="create another datastore, then delete this one",
        )
    return spec


def datastore_to_arm(spec: DatastoreSpec) -> dict[str, Any]:
    """The body of a PUT; it holds the secret, if the spec has one."""
    body: dict[str, Any] = write(spec.to_mapping(), TABLE)
    credentials = body["properties"]["credentials"]
    if "secrets" in credentials:
        credentials["secrets"]["secretsType"] = credentials["credentialsType"]
    return body


def datastore_from_arm(name: str, body: Mapping[str, Any]) -> DatastoreSpec:
    """What a body declares. Raises UserError naming the JSON path of each problem."""
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        raise UserError("properties is missing; it must be an object", code="MissingKey")
    found = read(body, TABLE)
    if properties.get("credentials") is None:
        fix = 'put {"credentialsType": "None"} where the server\'s own identity is meant'
        found.problems.append(Problem("MissingKey", "properties.credentials is missing", fix))
    elif isinstance(told := properties["credentials"], Mapping) and not told.get("credentialsType"):
        found.problems.append(
            Problem("MissingKey", "properties.credentials.credentialsType is missing")
        )
    _refuse_in_vain(properties)
    spec = validated(DatastoreSpec, {**found.mapping, "name": name}, found, TABLE)
    refuse_unread(spec)
    return spec


def secrets_to_arm(spec: DatastoreSpec) -> dict[str, Any]:
    """What listSecrets answers: the secret itself."""
    body = datastore_to_arm(spec)
    found: dict[str, Any] = body["properties"]["credentials"].get("secrets", {})
    return found


def spelled(resource: Mapping[str, Any]) -> dict[str, Any]:
    """In the words of YAML, and nothing checked: a newer server is shown as well."""
    said: dict[str, Any] = {"credentials": {}, "tags": {}, **read(resource, TABLE).mapping}
    return {**said, "name": resource.get("name")}


def _refuse_what_files_do_not_hold(source: Source) -> None:
    """Two keys are only for the wire: what kind of credentials it is, and `properties`."""
    credentials = source.tree.get("credentials")
    written: list[Key] = [("properties",)] if "properties" in source.tree else []
    if isinstance(credentials, Mapping) and "type" in credentials:
        written.append(("credentials", "type"))
    problems = [
        Problem(
            "UnknownKey",
            f"unknown key `{'.'.join(map(str, key))}`; "
            + ("the other keys tell" if len(key) > 1 else "`tags` are for words of your own"),
            "delete it",
            source.where(key),
        )
        for key in written
    ]
    if problems:
        raise refuse([*source.problems, *problems], source.subject)


def _check_credentials(spec: DatastoreSpec, source: Source) -> None:
    kind, possible = spec.credentials.type, _OPENED_BY[spec.type]
    lacks = kind not in {CredentialsType.NONE, CredentialsType.CERTIFICATE}
    if kind in possible and not (lacks and not spec.credentials.secret):
        return
    takes = ", ".join(sorted(each.value for each in possible))
    raise UserError(
        f"credentials of a datastore of type {spec.type.value} are {kind.value}"
        + (f"; it takes {takes}" if kind not in possible else ", without their secret"),
        code="InvalidValue",
        where=source.where(("credentials",)),
    )


def _refuse_in_vain(properties: Mapping[str, Any]) -> None:
    """What Azure takes and nothing here would come of."""
    if properties.get("isDefault"):
        raise UserError(
            "properties.isDefault is true; the default datastore of a workspace cannot change",
            code="NotSupportedYet",
            fix="leave it out",
        )
    identity = properties.get("serviceDataAccessAuthIdentity")
    if identity is not None and identity != "None":
        raise UserError(
            f"{_IDENTITY} is {shown(identity)}; it must be None: a workspace has no identity of "
            "its own here",
            code="NotSupportedYet",
            fix="credentials of type None are the identity that the server runs with",
        )
