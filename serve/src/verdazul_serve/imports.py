"""What to do about a module that is not there."""

from __future__ import annotations

import os

# Import names whose package has another name.
_PACKAGES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.protobuf": "protobuf",
    "jwt": "pyjwt",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_SHIMS = ("azureml_inference_server_http", "azureml.contrib")


def explain_missing(module: str, *, script: str, root: str) -> str:
    """The fix for `No module named <module>`, raised while importing `script`."""
    top = module.partition(".")[0]
    if module.startswith(_SHIMS):
        return (
            f"this server does not offer {module} (rawhttp, AMLRequest, AMLResponse);"
            " remove the import and take the input as `def run(data): ...`"
        )
    beside = os.path.dirname(script)  # noqa: PTH120
    if beside != root and _is_module(beside, top):
        folder = os.path.relpath(beside, root).replace(os.sep, ".")
        return (
            f"{top} lies beside the script, but only the code folder is on sys.path:"
            f" write `from {folder} import {top}`"
        )
    package = _PACKAGES.get(module) or _PACKAGES.get(top) or top
    where = "the pip list of the environment's conda file"
    return f'add "{package}" to {where} (missing module: {module})'


def _is_module(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)  # noqa: PTH118
    return os.path.isfile(f"{path}.py") or os.path.isdir(path)  # noqa: PTH112, PTH113
