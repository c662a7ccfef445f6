"""The log format of Azure's server, and the two classes that a `logging.json` may name.

They answer to `azureml_inference_server_http.log_config.*` as well.
"""

from __future__ import annotations

import logging
import time
from typing import Any

FORMAT = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s"


class AMLLogFormatter(logging.Formatter):
    """`2026-11-22 17:49:25,959 I [19668] azmlinfsrv - Invoking user's init function`, in UTC.

    While a request runs its id follows the logger's name (see log_marks.py).
    """

    def __init__(
        self, fmt: str | None = FORMAT, datefmt: str | None = None, style: Any = "%", **options: Any
    ) -> None:
        super().__init__(fmt, datefmt, style, **options)
        self.converter = time.gmtime


class RootAccessFilter(logging.Filter):
    """Keeps the lines of probes out of an access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "GET / HTTP/1.1" not in record.getMessage()
