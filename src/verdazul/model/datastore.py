"""A datastore: a container of a storage account and what opens it, under a name for paths.

    name: weights
    type: azure_blob
    account_name: mymodels
    container_name: production
    credentials: {sas_token: "sv=..."}

Which credentials they are is told by their keys, as in Azure; none at all means the identity of the
server. Credentials go to the server once and are never shown again but by listSecrets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from verdazul.model.declared import KEY, Declared, Filled, Text, TextMap, choice, must_be, says
from verdazul.model.errors import UserError

AZURE = "core.windows.net"
_HOST = r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?"
_ACCOUNT = re.compile(rf"[a-z0-9]{{3,24}}|{_HOST}/[a-z0-9]{{1,24}}")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web")
_ENDPOINT = re.compile(rf"{_HOST}/?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")


class DatastoreType(StrEnum):
    """What is at the other end."""

    BLOB = "azure_blob"
    FILE = "azure_file"
    GEN1 = "azure_data_lake_gen1"
    GEN2 = "azure_data_lake_gen2"
    ONE_LAKE = "one_lake"


class CredentialsType(StrEnum):
    """How one is let in."""

    ACCOUNT_KEY = "account_key"
    SAS = "sas"
    SERVICE_PRINCIPAL = "service_principal"
    CERTIFICATE = "certificate"
    NONE = "none"


class Protocol(StrEnum):
    """How the account is asked."""

    HTTPS = "https"
    HTTP = "http"


SECRET_OF: Mapping[CredentialsType, str] = {
    CredentialsType.ACCOUNT_KEY: "account_key",
    CredentialsType.SAS: "sas_token",
    CredentialsType.SERVICE_PRINCIPAL: "client_secret",
    CredentialsType.CERTIFICATE: "certificate",
}
_TENANT = ("tenant_id", "client_id")
_PLACES = ("authority_url", "resource_url")
_KEPT_WITH: Mapping[CredentialsType, tuple[tuple[str, ...], tuple[str, ...]]] = {
    CredentialsType.ACCOUNT_KEY: ((), ()),
    CredentialsType.SAS: ((), ()),
    CredentialsType.SERVICE_PRINCIPAL: (_TENANT, _PLACES),
    CredentialsType.CERTIFICATE: ((*_TENANT, "thumbprint"), _PLACES),
    CredentialsType.NONE: ((), ()),
}
"""What stands beside the secret: what there has to be, and what there may be."""
_STORAGE = ("account_name", "endpoint", "protocol")
_OF_TYPE: Mapping[DatastoreType, tuple[tuple[str, ...], tuple[str, ...]]] = {
    DatastoreType.BLOB: (("account_name", "container_name"), ("endpoint", "protocol")),
    DatastoreType.FILE: (("account_name", "file_share_name"), ("endpoint", "protocol")),
    DatastoreType.GEN1: (("store_name",), ()),
    DatastoreType.GEN2: (("account_name", "filesystem"), ("endpoint", "protocol")),
    DatastoreType.ONE_LAKE: (("one_lake_workspace_name", "endpoint"), ("artifact",)),
}
"""The keys that a type has to have, and those that it may have besides."""
_UNREAD: Mapping[DatastoreType, str] = {
    DatastoreType.FILE: "file shares are not read; put the files into a blob container",
    DatastoreType.GEN1: "Azure has retired Data Lake Storage Gen1; its successor is Gen2",
    DatastoreType.ONE_LAKE: "OneLake is not read; put the files into a blob container",
}


def _read_secret(value: object) -> str:
    """As any text, but a wrong one is not repeated in what is said of it."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise says("InvalidValue", f"{KEY} must be a text that is not empty")
    return value


Secret = Annotated[
    str, BeforeValidator(_read_secret, json_schema_input_type=Annotated[str, Field(min_length=1)])
]


class Credentials(Declared):
    """What opens an account. In YAML `type` is not written: the other keys tell."""

    type: Annotated[CredentialsType, choice(CredentialsType)]
    account_key: Secret | None = Field(default=None, repr=False)
    sas_token: Secret | None = Field(default=None, repr=False)
    tenant_id: Filled | None = None
    client_id: Filled | None = None
    client_secret: Secret | None = Field(default=None, repr=False)
    authority_url: Filled | None = None
    resource_url: Filled | None = None
    thumbprint: Filled | None = None
    certificate: Secret | None = Field(default=None, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, value: object) -> object:
        """As its keys tell; `authority_uri` is what `authority_url` was called once."""
        if not isinstance(value, Mapping):
            return value
        keys = dict(value)
        if "authority_uri" in keys and "authority_url" not in keys:
            keys["authority_url"] = keys.pop("authority_uri")
        return keys if "type" in keys else {**keys, "type": _type_of(keys)}

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        needed, possible = _KEPT_WITH[self.type]
        there = set(self.to_mapping()) - {"type"}
        known = {*needed, *possible, SECRET_OF.get(self.type, "")}
        if not there >= set(needed) or there - known:
            keys = ", ".join((*needed, *filter(None, [SECRET_OF.get(self.type)])))
            raise says(
                "InvalidValue",
                f"credentials of type {self.type.value} hold {keys or 'no other key'}"
                + (f", and may hold {', '.join(possible)}" if possible else ""),
            )
        return self

    @property
    def secret(self) -> str:
        """The part that nobody is shown ("" when there is none)."""
        return str(getattr(self, SECRET_OF.get(self.type, ""), None) or "")

    @property
    def public(self) -> Self:
        """The same without the secret."""
        return self.model_copy(update=dict.fromkeys(SECRET_OF.values()))

    def with_secret(self, secret: str) -> Self:
        """The same with another secret."""
        name = SECRET_OF.get(self.type)
        return self.model_copy(update={name: secret}) if name and secret else self


class ArtifactType(StrEnum):
    """What a OneLake workspace holds."""

    LAKE_HOUSE = "lake_house"


class Artifact(Declared):
    """What of a OneLake workspace is meant."""

    name: Filled
    type: Annotated[ArtifactType, choice(ArtifactType)] = ArtifactType.LAKE_HOUSE


def _checked(pattern: re.Pattern[str], rule: str) -> BeforeValidator:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise must_be(rule)
        return value

    return BeforeValidator(read, json_schema_input_type=Annotated[str, Field(min_length=1)])


class DatastoreSpec(Declared):
    """What a person declared. Which keys there are depends on `type`."""

    name: Annotated[str, _checked(_NAME, "letters, digits, `-` and `_`, 255 at most")]
    type: Annotated[DatastoreType, choice(DatastoreType)]
    account_name: (
        Annotated[str, _checked(_ACCOUNT, "an account's name: 3 to 24 small letters and digits")]
        | None
    ) = None
    container_name: (
        Annotated[str, _checked(_CONTAINER, "a container: 3 to 63 small letters, digits and `-`")]
        | None
    ) = None
    filesystem: (
        Annotated[str, _checked(_CONTAINER, "a file system: 3 to 63 small letters, digits and `-`")]
        | None
    ) = None
    file_share_name: Filled | None = None
    store_name: Filled | None = None
    one_lake_workspace_name: Filled | None = None
    artifact: Artifact | None = None
    endpoint: (
        Annotated[str, _checked(_ENDPOINT, "a host without protocol, such as core.windows.net")]
        | None
    ) = None
    protocol: Annotated[Protocol, choice(Protocol)] | None = None
    credentials: Credentials = Credentials(type=CredentialsType.NONE)
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: TextMap = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        needed, possible = _OF_TYPE[self.type]
        every = {key for keys in _OF_TYPE.values() for part in keys for key in part}
        for key in needed:
            if getattr(self, key) is None:
                raise says(
                    "MissingKey", f"a datastore of type {self.type.value} needs {KEY}", at=(key,)
                )
        for key in sorted(every - {*needed, *possible}):
            if getattr(self, key) is not None:
                raise says(
                    "UnknownKey", f"a datastore of type {self.type.value} has no {KEY}", at=(key,)
                )
        return self

    @property
    def public(self) -> Self:
        """The same without its secret."""
        return self.model_copy(update={"credentials": self.credentials.public})

    def with_secret(self, secret: str) -> Self:
        """The same with another secret."""
        return self.model_copy(update={"credentials": self.credentials.with_secret(secret)})

    @property
    def container(self) -> str:
        """The container; a Gen2 file system is one, too."""
        return str(self.container_name or self.filesystem)

    @property
    def host(self) -> str:
        """`endpoint`, as people would write it."""
        return (self.endpoint or AZURE).rstrip("/")

    @property
    def account(self) -> str:
        """The account's own name, without the address that may stand before it."""
        return str(self.account_name).rpartition("/")[2]

    @property
    def url(self) -> str:
        """The account's address. Emulators have no names below theirs: there it is a folder.

        mymodels, core.windows.net             https://mymodels.blob.core.windows.net
        devstoreaccount1, 127.0.0.1:10000      https://127.0.0.1:10000/devstoreaccount1
        other.example:8443/store, x/           https://other.example:8443/store.blob.x
        """
        protocol = self.protocol or Protocol.HTTPS
        if _is_bare(self.host):
            return f"{protocol.value}://{self.host}/{self.account_name}"
        return f"{protocol.value}://{self.account_name}.blob.{self.host}"


def refuse_unread(spec: DatastoreSpec, *, where: str = "") -> None:
    """Raise UserError (NotSupportedYet) for a type whose files cannot be had here."""
    if spec.type in _UNREAD:
        raise UserError(
            f"type {spec.type.value} is not supported yet: {_UNREAD[spec.type]}",
            code="NotSupportedYet",
            where=where,
            fix=f"use {DatastoreType.BLOB.value} or {DatastoreType.GEN2.value}",
        )


def refuse_changed(known: DatastoreSpec, wanted: DatastoreSpec) -> None:
    """Raise UserError (ImmutableProperty) when it is to be another place under the same name."""
    for key in ("type", *_STORAGE, "container_name", "filesystem"):
        before, after = _as_meant(known, key), _as_meant(wanted, key)
        if before != after:
            raise UserError(
                f'{key} of datastore "{known.name}" cannot change from {before} to {after}; '
                "credentials, description, tags and properties can",
                code="ImmutableProperty",
                fix="create another datastore, then delete this one",
            )


def keep_secret(known: DatastoreSpec, wanted: DatastoreSpec) -> DatastoreSpec:
    """What names no secret keeps the one it has, as long as it opens the same in the same way.

    A secret never goes to another authority than the one it was given for.
    """
    if wanted.credentials.secret or wanted.credentials != known.credentials.public:
        return wanted
    return wanted.model_copy(update={"credentials": known.credentials})


def without_our_defaults(spec: DatastoreSpec, *, suffix: str, address: str) -> DatastoreSpec:
    """What a client filled in because this server is its cloud, as nobody has said it.

    `suffix` and `address` are what this server tells clients to be the cloud's: no account of
    Azure's is there, and no tenant of it either.
    """
    is_of_azure = spec.account_name == spec.account  # another home's begins with its address
    if is_of_azure and (spec.endpoint or "").rstrip("/") in {"", suffix.rstrip("/")}:
        has_one = "endpoint" in _OF_TYPE[spec.type][1]
        spec = spec.model_copy(update={"endpoint": AZURE if has_one else None})
    authority = (spec.credentials.authority_url or "").rstrip("/").lower()
    if is_of_azure and authority == address.rstrip("/").lower():
        plain = spec.credentials.model_copy(update={"authority_url": None})
        spec = spec.model_copy(update={"credentials": plain})
    return spec


def _as_meant(spec: DatastoreSpec, key: str) -> Any:
    match key:
        case "endpoint":
            return spec.host
        case "protocol":
            return (spec.protocol or Protocol.HTTPS).value
        case _:
            return getattr(spec, key)


def _type_of(keys: Mapping[str, object]) -> CredentialsType:
    if "thumbprint" in keys or "certificate" in keys:
        return CredentialsType.CERTIFICATE
    for kind in (CredentialsType.ACCOUNT_KEY, CredentialsType.SAS):
        if SECRET_OF[kind] in keys:
            return kind
    return CredentialsType.SERVICE_PRINCIPAL if keys else CredentialsType.NONE


def _is_bare(host: str) -> bool:
    """Whether it is an address, or this machine: no name can stand before that."""
    name = host.partition(":")[0].lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True
