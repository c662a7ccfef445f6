"""`azmlinfsrv`: reads the flags that Azure's command has, then is Verdazul's server.

Flags become environment variables, the banner is the original's line by line, and the server runs
in this very process. Exit codes: 1 for flags and ports, 3 when the server cannot start.
"""

from __future__ import annotations

import os
import sys

from verdazul_azmlinfsrv import arguments, banner, environment, gunicorn, ports
from verdazul_serve import logs


def main() -> None:
    """Serve until told to stop."""
    logs.configure()
    options = arguments.parse(sys.argv[1:])
    if not (options.entry_script or options.config_file):
        logs.server.error("Error!")
        logs.server.error("%s", arguments.NOTHING_TO_SERVE)
        sys.exit(1)
    hints = environment.prepare(os.environ, options, cwd=os.getcwd())  # noqa: PTH109
    sys.stdout.write("\n".join([*hints, *banner.lines(os.environ), ""]))
    for warning in gunicorn.heed(os.environ):
        logs.server.warning("%s", warning)
    if not ports.are_free(os.environ):
        sys.exit(1)
    from verdazul_serve.__main__ import main as serve

    serve()


if __name__ == "__main__":
    main()
