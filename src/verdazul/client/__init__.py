"""The light HTTP client that the command uses.

httpx imports a command line of its own (click, rich, pygments) where click is installed: more than
half of its import time, on every `verdazul ...`. It does without when click cannot be imported.
"""

import sys

_hidden = "click" not in sys.modules
if _hidden:
    sys.modules["click"] = None  # type: ignore[assignment]  # what makes an import fail
try:
    import httpx as _httpx  # noqa: F401 - so that later imports find it loaded
finally:
    if _hidden:
        del sys.modules["click"]
