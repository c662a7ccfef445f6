"""`verdazul env`: the variables with which Azure's own clients reach a home, for a shell or Python.

One of them opens the home (IDENTITY_HEADER): here, and only here, a secret is printed on purpose.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.home import Home

_AZ = {"AZURE_CORE_INSTANCE_DISCOVERY": "false"}  # else az asks Microsoft about the authority
_METADATA = "/metadata/endpoints?api-version=2022-09-01"


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    parser = grammar.add_command(
        nouns,
        "env",
        env,
        summary="Print what a shell, or a notebook, needs so that curl, the azure-ai-ml and "
        "azure-identity packages and this command find the home, trust it and may use it. It "
        "holds a secret: who reads IDENTITY_HEADER can do what you can.",
        examples=(
            'eval "$(verdazul env)"',
            "verdazul env --shell fish | source",
            "verdazul env --shell powershell | Out-String | Invoke-Expression",
            "verdazul env --python > verdazul_env.py   # in a notebook: %run verdazul_env.py",
            'eval "$(verdazul env --local)"   # local=True of the SDK, without Docker',
        ),
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--shell", choices=tuple(_SHELLS), default="bash", help="whose words (default: bash)"
    )
    form.add_argument("--python", action="store_true", help="Python statements, for a notebook")
    parser.add_argument(
        "--local",
        action="store_true",
        help="DOCKER_HOST instead: starts the local engine, with which `local=True` and --local "
        "need no container engine (and no server)",
    )


def env(session: Session, arguments: Arguments) -> None:
    """Print assignments; as data where a format is asked for."""
    if arguments.local:
        _show(session, arguments, local_variables(session))
        return
    values = variables(session)
    if render.is_watched():
        session.note("IDENTITY_HEADER is a secret: whoever has it can use this home")
    _show(session, arguments, values)


def _show(session: Session, arguments: Arguments, values: Mapping[str, str]) -> None:
    if session.how.output or session.how.query:
        render.show(values, session.how)
        return
    write = _python if arguments.python else _SHELLS[arguments.shell]
    render.show_text(write(values), render.Format("tsv"))


def local_variables(session: Session) -> dict[str, str]:
    """What leads Docker's clients to the local engine, which runs from now on."""
    from verdazul.engine.starting import start

    return {"DOCKER_HOST": start(session.settings).docker_host}


def variables(session: Session) -> dict[str, str]:
    """Every variable, in the order of what reads it. Raises UserError before the first start."""
    from verdazul.home import Home

    home, settings = Home(session.settings.home), session.settings
    url = _address(home)
    bundle = str(home.ca_bundle_file)
    authority = {"AZURE_AUTHORITY_HOST": url, **_AZ} if url.startswith("https:") else {}
    return {
        "VERDAZUL_HOME": str(home.path),
        "VERDAZUL_ADDRESS": url,
        "VERDAZUL_TOKEN_FILE": str(home.token_file),
        "VERDAZUL_CA": str(home.trust_file),
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "ARM_CLOUD_METADATA_URL": url + _METADATA,
        "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{url}/",
        "IDENTITY_ENDPOINT": f"{url}/msi/token",
        "IDENTITY_HEADER": home.token(),
        **authority,  # azure-identity refuses one without TLS, and all else with it
        "AZURE_SUBSCRIPTION_ID": settings.subscription,
        "AZURE_DEFAULTS_GROUP": settings.resource_group,
        "AZURE_DEFAULTS_WORKSPACE": settings.workspace,
    }


def _address(home: Home) -> str:
    from verdazul.client.server import NotRunning

    try:
        return home.address_file.read_text().strip()
    except OSError:
        raise NotRunning(f"no Verdazul runs in {home.path}", fix="start it: verdazul up") from None


def _posix(values: Mapping[str, str]) -> str:
    return _lines(values, lambda name, value: f"export {name}={shlex.quote(value)}")


def _fish(values: Mapping[str, str]) -> str:
    def line(name: str, value: str) -> str:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{escaped}'"

    return _lines(values, line)


def _powershell(values: Mapping[str, str]) -> str:
    def line(name: str, value: str) -> str:
        doubled = value.replace("'", "''")
        return f"$env:{name} = '{doubled}'"

    return _lines(values, line)


def _python(values: Mapping[str, str]) -> str:
    pairs = _lines(values, lambda name, value: f"    {name!r}: {value!r},")
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE")
    named = ", ".join(repr(values[name]) for name in names if name in values)
    then = f"; then:\n#   MLClient(DefaultAzureCredential(), {named})" if named else ""
    return (
        f"# Run this before azure.ai.ml is imported{then}\n"
        f"import os\n\nos.environ.update({{\n{pairs}\n}})"
    )


def _lines(values: Mapping[str, str], line: Callable[[str, str], str]) -> str:
    _refuse_line_ends(values)
    return "\n".join(line(name, value) for name, value in values.items())


def _refuse_line_ends(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise UserError(
                f"{name} would hold a line end ({value!r}); no shell reads that back",
                code="InvalidSetting",
                fix="move the home to a folder without one in its name",
            )


_SHELLS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "fish": _fish,
    "powershell": _powershell,
}
