"""Where the program's own log goes: a rotating file, for the control plane and the local engine."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from verdazul.settings import Settings


def log_to(path: Path, settings: Settings) -> None:
    """Write what is logged from now on into that file."""
    handler = RotatingFileHandler(
        path, maxBytes=settings.log_file_bytes, backupCount=settings.log_files
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
