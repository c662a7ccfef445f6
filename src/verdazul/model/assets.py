"""What a deployment is made from: a model and an environment, by reference or described in place.

A reference is a text (`azureml:credit:3`, `azureml:credit@latest`, an ARM id); a description in
place has the path or image itself. conda_file never appears here: loading turns it into the text of
a conda file, so that a spec needs no folder beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from verdazul.model.declared import Declared, Filled, Text, TextMap, choice, must_be, says, whole
from verdazul.model.errors import UserError
from verdazul.model.show import shown

INLINE = "<inline>"
REFERENCE = "<reference>"
LAST_PORT = 65535
UNPACK = "azureml.unpack"
"""A model's property: it is an archive, and scripts find what it holds."""

_SHORT = re.compile(r"azureml:[^:@/\s]+(:[^:@/\s]+|@[^:@/\s]+)")
_LONG = re.compile(r"(azureml:)?/subscriptions/\S+|azureml://\S+", re.IGNORECASE)


class ModelType(StrEnum):
    """How a model's files are to be read."""

    CUSTOM = "custom_model"
    MLFLOW = "mlflow_model"
    TRITON = "triton_model"


class DataType(StrEnum):
    """What a data asset's path leads to."""

    FILE = "uri_file"
    FOLDER = "uri_folder"
    TABLE = "mltable"


class OsType(StrEnum):
    """What an image runs on."""

    LINUX = "linux"
    WINDOWS = "windows"


def is_reference(text: str) -> bool:
    """Whether a text names something registered, rather than a folder or a file."""
    return bool(_SHORT.fullmatch(text) or _LONG.fullmatch(text))


def is_of_registry(text: str) -> bool:
    """Whether it names something of a registry, not of the workspace."""
    return text.lower().startswith("azureml://registries/")


def is_address(text: str) -> bool:
    """Whether a model's path leads to a store (`azureml://...`, `https://...`), not to a folder."""
    return bool(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:", text)) or is_reference(text)


def _reference(value: object) -> str:
    if not isinstance(value, str) or not is_reference(value):
        raise must_be(
            "azureml:<name>:<version>, azureml:<name>@<label>, an ARM id, "
            "or a mapping that describes it in place"
        )
    return str(value)


class InlineModel(Declared):
    """A model described in place. `path` is absolute, or an `azureml://` address."""

    name: Filled | None = None
    version: Filled | None = None
    path: Filled
    type: Annotated[ModelType, choice(ModelType)] = ModelType.CUSTOM
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: TextMap = Field(default_factory=dict)
    stage: Text | None = None


def is_unpacked(properties: Mapping[str, object]) -> bool:
    """Whether a model's properties say that it is an archive, to be unpacked where it is used.

    Raises UserError (InvalidValue) for what is neither true nor false.
    """
    told = properties.get(UNPACK)
    text = str(told or "false").lower()
    if text not in {"true", "false"}:
        raise UserError(
            f"properties.{UNPACK} is {shown(told)}; it must be true or false", code="InvalidValue"
        )
    return text == "true"


class InlineData(Declared):
    """Data to be registered. `path` is absolute, or an address."""

    name: Filled | None = None
    version: Filled | None = None
    path: Filled
    type: Annotated[DataType, choice(DataType)] = DataType.FOLDER
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: TextMap = Field(default_factory=dict)


class BuildContext(Declared):
    """A folder with a Dockerfile."""

    path: Filled
    dockerfile_path: Filled = "Dockerfile"


class InferenceRoute(Declared):
    """Where an image of one's own answers."""

    path: Filled
    port: Annotated[int, whole(1, LAST_PORT)]


class InferenceConfig(Declared):
    """The three routes of an image of one's own."""

    liveness_route: InferenceRoute
    readiness_route: InferenceRoute
    scoring_route: InferenceRoute


class InlineEnvironment(Declared):
    """An environment described in place: an image or a build, and what conda adds to the image."""

    name: Filled | None = None
    version: Filled | None = None
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    image: Filled | None = None
    conda_text: Filled | None = None
    build: BuildContext | None = None
    os_type: Annotated[OsType, choice(OsType)] = OsType.LINUX
    inference_config: InferenceConfig | None = None

    @model_validator(mode="after")
    def _has_one_foundation(self) -> Self:
        if self.image and self.build:
            raise says("InvalidValue", "environment has both image and build; it takes one of them")
        if not self.image and not self.build:
            raise says(
                "MissingKey",
                "environment has neither image nor build"
                + ("; conda_file needs an image to add to" if self.conda_text else ""),
                fix="add `image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04`",
            )
        if self.conda_text and self.build:
            raise says(
                "InvalidValue", "environment has conda_file and build; conda_file adds to an image"
            )
        return self


def _kind(value: object) -> str:
    return INLINE if isinstance(value, Mapping | Declared) else REFERENCE


Reference = Annotated[str, BeforeValidator(_reference)]
ModelSource = Annotated[
    Annotated[Reference, Tag(REFERENCE)] | Annotated[InlineModel, Tag(INLINE)],
    Discriminator(_kind),
]
EnvironmentSource = Annotated[
    Annotated[Reference, Tag(REFERENCE)] | Annotated[InlineEnvironment, Tag(INLINE)],
    Discriminator(_kind),
]
