"""Which packages stand behind an image's name, for the names that deployments really use. Pure.

A machine without containers cannot run an image; but most deployments name an Azure image only as
the ground under a conda file, or a curated environment that is a known list of packages. Both can
be had as a virtual environment. `azureml-*` packages of curated images are left out: what a scoring
script imports from them, verdazul_serve provides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What an image stands for: its Python (a minor version such as "3.9") and packages."""

    python: str | None
    requirements: tuple[str, ...]


_OLD = ("numpy~=1.22.0", "scipy~=1.10.0", "joblib~=1.2.0", "psutil~=5.8.0", "matplotlib~=3.5.0")
_MINIMAL = ("numpy", "joblib", "azure-identity", "azure-storage-blob")
_MLFLOW = ("mlflow", "scikit-learn", "cloudpickle", "psutil", "pandas", "numpy", "joblib")

CURATED: dict[str, KnownImage] = {
    "sklearn-0.24": KnownImage("3.9", ("scikit-learn~=0.24.0", "pandas~=1.3.0", *_OLD)),
    "sklearn-1.0": KnownImage("3.9", ("scikit-learn~=1.0.0", "pandas~=1.3.0", *_OLD)),
    "sklearn-1.1": KnownImage("3.9", ("scikit-learn~=1.1.0", "pandas~=1.3.0", *_OLD)),
    "sklearn-1.5": KnownImage("3.10", ("scikit-learn~=1.5.0", "pandas~=1.5.3", *_OLD)),
    "lightgbm-3.3": KnownImage(
        "3.10",
        ("lightgbm>=4.6.0", "scikit-learn~=1.5.1", "xgboost~=1.7.6", "pandas~=1.5.3", *_OLD),
    ),
}

_REGISTRY = re.compile(
    r"azureml://registries/azureml/environments/(?P<name>[^/:@]+)"
    r"(/versions/[^/]+|/labels/[^/]+|[:@][^/]+)?",
)
_SHORT = re.compile(r"azureml:(?:AzureML-)?(?P<name>[^/:@]+?)(?:[:@][^/]+)?", re.IGNORECASE)
_MCR = re.compile(
    r"mcr\.microsoft\.com/azureml/(?:curated/)?(?P<name>[^/:@]+)(?P<tag>[:@]\S+)?", re.IGNORECASE
)
_BASE = re.compile(r"(base|openmpi|intelmpi|inference-base|minimal-base)\S*")
_INFERENCE = re.compile(
    r"(?P<what>minimal|mlflow)(-ubuntu[\d.]+)?(-py(?P<major>3)\.?(?P<minor>\d+))?"
    r"(-cpu|-cuda[\d.]+(-gpu)?|-gpu)?-inference"
)
_CURATED_INFERENCE = re.compile(
    r"(?P<name>sklearn-[\d.]+|lightgbm-[\d.]+)-ubuntu[\d.]+-py3\d+-cpu(-inference)?"
)


def known_image(image: str) -> KnownImage | None:
    """The packages of an image or curated environment by name; None when we cannot tell."""
    name = _short_name(image)
    if name is None:
        return None
    if _BASE.fullmatch(name):
        return KnownImage(None, ())
    inference = _INFERENCE.fullmatch(name)
    if inference:
        python = f"3.{inference['minor']}" if inference["minor"] else None
        return KnownImage(python, _MLFLOW if inference["what"] == "mlflow" else _MINIMAL)
    prebuilt = _CURATED_INFERENCE.fullmatch(name)
    return CURATED.get(prebuilt["name"] if prebuilt else name)


def known_names() -> str:
    """The names that `known_image` understands, for a message."""
    shapes = ("openmpi…-ubuntu…", "minimal-…-inference", "mlflow-…-inference")
    return ", ".join((*shapes, *CURATED))


def _short_name(image: str) -> str | None:
    text = image.strip()
    for form in (_REGISTRY, _MCR, _SHORT):
        match = form.fullmatch(text)
        if match:
            return match["name"].lower()
    return None
