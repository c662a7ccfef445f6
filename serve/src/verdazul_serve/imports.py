"""What to do about a module that is not there."""

from __future__ import annotations

import os

# Import names whose package has another name.
_PACKAGES = {
    "attr": "attrs",
    "azureml.ai.monitoring": "azureml-ai-monitoring",
    "azureml.ai": "azureml-ai-monitoring",
    "azureml.data": "azureml-core",
    "azureml.exceptions": "azureml-core",
    "azureml.train": "azureml-train-core",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "flask_cors": "flask-cors",
    "google.protobuf": "protobuf",
    "inference_schema": "inference-schema",
    "jwt": "pyjwt",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_SERVER = "azureml_inference_server_http"
_SERVICES = "azureml.contrib.services"
_PLACE = "the pip list of the environment's conda file"


def explain_missing(module: str, *, script: str, root: str) -> str:
    """The fix for `No module named <module>`, raised while importing `script`."""
    top = module.partition(".")[0]
    beside = os.path.dirname(script)  # noqa: PTH120
    if beside != root and _is_module(beside, top):
        folder = os.path.relpath(beside, root).replace(os.sep, ".")
        return (
            f"{top} lies beside the script, but only the code folder is on sys.path:"
            f" write `from {folder} import {top}`"
        )
    if module.startswith((_SERVER, "azureml.")):
        return _explain_azureml(module)
    return _add(_package(module) or top, module)


def _explain_azureml(module: str) -> str:
    """These come in parts, and the server itself offers a few of them."""
    if module.startswith((_SERVER, _SERVICES)):
        return (
            f"this server offers AMLRequest, AMLResponse and rawhttp under {_SERVER}.api and"
            f" {_SERVICES}, and no {module}; take that import away"
        )
    package = _package(module) or "-".join(module.split(".")[:2])
    instead = ""
    if package == "azureml-core":
        instead = ', or do without: os.environ["AZUREML_MODEL_DIR"] is the folder of the model'
    return _add(package, module) + instead


def _package(module: str) -> str | None:
    """By the longest known beginning of the name."""
    parts = module.split(".")
    beginnings = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_PACKAGES[name] for name in beginnings if name in _PACKAGES), None)


def _add(package: str, module: str) -> str:
    return f'add "{package}" to {_PLACE} (missing module: {module})'


def _is_module(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)  # noqa: PTH118
    return os.path.isfile(f"{path}.py") or os.path.isdir(path)  # noqa: PTH112, PTH113
