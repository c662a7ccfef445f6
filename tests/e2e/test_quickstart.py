"""The first thing a newcomer runs does what the README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.e2e


def test_the_quickstart_loses_no_request() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "quickstart" / "run.py"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "; 0 requests failed" in done.stdout
