"""`python -m verdazul.engine LISTENER`: the local engine in the background; see starting.py."""

from __future__ import annotations

import os
import socket
import sys

from verdazul.engine.folders import Places
from verdazul.engine.serve import serve
from verdazul.log_file import log_to
from verdazul.settings import Settings


def main() -> None:
    """Serve on the socket that was handed over."""
    os.umask(0o077)
    settings = Settings.of_home()
    log_to(settings.home / "logs" / "engine.log", settings)
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.set_inheritable(False)
    serve(Places(settings.home), listener, idle_seconds=settings.local_engine_idle_seconds)


if __name__ == "__main__":
    main()
