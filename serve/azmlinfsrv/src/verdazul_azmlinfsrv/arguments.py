"""The command line. Its mistakes, and even `--help`, end with exit code 1, as in Azure."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from verdazul_azmlinfsrv import __version__

NOTHING_TO_SERVE = (
    "Either provide an entry_script using --entry_script or provide a path to the configuration"
    " file using --config_file"
)
_HIGHEST_PORT = 65535


class Parser(argparse.ArgumentParser):
    """Shows how it is done after each mistake."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        sys.stderr.write(f"{self.prog}: error: {message}\n")
        self.usage = argparse.SUPPRESS
        sys.stdout.write("\n")
        self.print_help()
        sys.exit(1)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        del status
        if message:
            sys.stderr.write(message)
        sys.exit(1)


def parse(words: list[str]) -> argparse.Namespace:
    """Exits with 1 on a mistake, and after `--help`."""
    return _parser().parse_args(words)


def _parser() -> Parser:
    parser = Parser(
        prog="azmlinfsrv", description=f"Azure ML Inferencing HTTP server v{__version__}"
    )
    parser.add_argument("--entry_script", help="the scoring script")
    parser.add_argument("--model_dir", help="the model folder, for AZUREML_MODEL_DIR")
    parser.add_argument(
        "--appinsights_instrumentation_key",
        help="send telemetry to the Application Insights with this key",
    )
    parser.add_argument("--port", type=_port, help="port to serve on (5001)")
    parser.add_argument(
        "--health_port",
        type=_port,
        help="port of its own for probes (5000), with SEPERATE_HEALTH_ENDPOINT=true",
    )
    parser.add_argument(
        "--worker_count", type=_count, help="processes that answer requests at the same time (1)"
    )
    parser.add_argument(
        "--access_control_allow_origins",
        help='origins that browsers may call from: "microsoft.com, bing.com"',
    )
    parser.add_argument("--config_file", help="settings as a JSON file")
    parser.add_argument("--rest", action="store_true", help=argparse.SUPPRESS)
    additions = parser.add_argument_group("additions of this server")
    additions.add_argument("--host", help="address to listen on (0.0.0.0: all)")
    additions.add_argument(
        "--reload", action="store_true", help="start anew when a file of the code folder changes"
    )
    return parser


def _port(text: str) -> int:
    number = _number(text)
    if not 1 <= number <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; a number from 1 to 65535 is")
    return number


def _count(text: str) -> int:
    number = _number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers; 1 or more is")
    return number


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
