"""The modules that scripts written for Azure import, under the names they have there.

`azureml_inference_server_http.api.aml_request` and `.aml_response`, the same two as
`azureml.contrib.services.*`, and `azureml_inference_server_http.log_config`. Python asks our finder
last, so whatever is really installed wins; and it loads them when they are imported, so a script
that needs no Flask never loads it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType

_SERVER = "azureml_inference_server_http"
_SERVICES = "azureml.contrib.services"

# Names of modules, and of those that stand in for them.
STAND_INS = {
    f"{_SERVER}.api.aml_request": "verdazul_serve.compat.aml_request",
    f"{_SERVER}.api.aml_response": "verdazul_serve.compat.aml_response",
    f"{_SERVER}.log_config": "verdazul_serve.log_config",
    # Asked for by its own name first: where the original is installed, one module has both names.
    f"{_SERVICES}.aml_request": f"{_SERVER}.api.aml_request",
    f"{_SERVICES}.aml_response": f"{_SERVER}.api.aml_response",
}
PACKAGES = (_SERVER, f"{_SERVER}.api", "azureml", "azureml.contrib", _SERVICES)


def install() -> None:
    """Have the names found from now on; may be called again."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def wants_raw_http() -> bool:
    """Whether a function, any function, was decorated with @rawhttp."""
    modules = (sys.modules.get(f"{parent}.aml_request") for parent in (f"{_SERVER}.api", _SERVICES))
    return any(getattr(module, "_rawHttpRequested", False) for module in modules)


class _Finder:
    """On sys.meta_path: asked for a module that nobody else has found."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in STAND_INS:
            return ModuleSpec(name, _StandIn())
        # An empty package: what else might be in it is asked of this finder, and not found.
        return ModuleSpec(name, _Empty(), is_package=True) if name in PACKAGES else None


class _Empty(Loader):
    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(Loader):
    """The module's name becomes one more name of another module."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(STAND_INS[module.__name__])


_finder = _Finder()
