"""Starts the server: `python -c "...; from verdazul_serve.__main__ import main; main()"`.

`python -c` puts the working directory first on sys.path. A user's `queue.py` or `http.py` there
must not become the server's own standard library, so it is hidden before anything else is imported;
the workers put it back for the user's code (see `script.py`).
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve until told to stop; the exit code is 3 when the scoring script cannot be started."""
    hide_working_directory(sys.path)
    from verdazul_serve import boot, logs

    code = boot.run()
    logs.give_up_unwritten()
    sys.exit(code)


def hide_working_directory(path: list[str]) -> None:
    """Drop the entry `python -c` and `python -m` add in front."""
    import os

    if path and path[0] in {"", os.getcwd()}:  # noqa: PTH109  # pathlib costs 10 ms at start
        del path[0]


if __name__ == "__main__":
    main()
