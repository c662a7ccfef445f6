"""Coverage has floors: what decides is covered in full, what acts by nine tenths.

Run after `pytest --cov`. Branches count. What only runs in processes of its own (the shim, the
server's parent and workers, the composition root) is proven by the end-to-end tests, which no
coverage tool sees.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FLOORS = {
    "src/verdazul/core/": 100.0,
    "src/verdazul/model/": 100.0,
    "src/verdazul/control/": 95.0,
    "src/verdazul/store/": 90.0,
    "src/verdazul/api/": 90.0,
    "src/verdazul/cli/": 85.0,
    "src/verdazul/client/": 90.0,
    "src/verdazul/environments/": 90.0,
    "src/verdazul/artifacts/": 90.0,
    "src/verdazul/secrets/": 90.0,
    "src/verdazul/identity/": 90.0,
    "src/verdazul/gateway/": 85.0,
}


def main() -> int:
    """0 when every floor holds."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
        subprocess.run(command, check=True)
        files = json.loads(report.read_text())["files"]
    low = [line for folder, floor in FLOORS.items() if (line := _below(folder, floor, files))]
    sys.stdout.write("\n".join(low or ["coverage floors hold"]) + "\n")
    return 1 if low else 0


def _below(folder: str, floor: float, files: dict[str, Any]) -> str:
    """Why the floor does not hold; "" when it does."""
    mine = {name: seen["summary"] for name, seen in files.items() if name.startswith(folder)}
    possible = sum(s["num_statements"] + s.get("num_branches", 0) for s in mine.values())
    covered = sum(s["covered_lines"] + s.get("covered_branches", 0) for s in mine.values())
    percent = 100.0 * covered / possible if possible else 0.0
    if percent >= floor:
        return ""
    worst = sorted(mine, key=lambda name: mine[name]["percent_covered"])[:3]
    return f"{folder} is covered by {percent:.1f} %, below {floor:.0f} %; see {', '.join(worst)}"


if __name__ == "__main__":
    sys.exit(main())
