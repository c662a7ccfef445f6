"""Model packages: Azure's images that hold model, code and environment. None are built here.

An image is not needed: what a deployment names is brought together where its instances run.
"""

from __future__ import annotations

from verdazul.model.errors import UserError
from verdazul.model.show import shown

WHY = "images are not built here, and a deployment needs none"
INSTEAD = (
    "deploy the model itself: name it as `model`, with `code_configuration` and `environment`, and "
    "leave out --package-model"
)


def no_packages(name: str, version: str) -> UserError:
    """The refusal (ModelPackagingNotSupported)."""
    return UserError(
        f"model {shown(name)} version {shown(version)} is not packaged: {WHY}",
        code="ModelPackagingNotSupported",
        fix=INSTEAD,
    )
