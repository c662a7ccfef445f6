"""`verdazul up | down | status`: the life of one home on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import Problem, Retryable, VerdazulError

if TYPE_CHECKING:
    from verdazul.home import Address

START_SECONDS = 60.0
"""How long a detached start may take; the gateway's first start is the longest part."""

_COLUMNS: tuple[render.Column, ...] = tuple(
    (title, lambda row, key=key: row.get(key))  # type: ignore[misc]  # bound at once by the default
    for title, key in (
        ("Part", "part"),
        ("State", "state"),
        ("Pid", "pid"),
        ("Traffic", "traffic"),
        ("Detail", "detail"),
    )
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the four commands."""
    starting = grammar.add_command(
        nouns,
        "up",
        up,
        summary="Start Verdazul in a home, and go on with what ran there. Ctrl-C, SIGTERM and "
        "`verdazul down` end it with all its instances; what was declared is kept.",
        examples=(
            "verdazul up",
            "verdazul up --detach --port 8443",
            "verdazul up --home ./second --detach   # beside the first",
        ),
    )
    _declare_address(starting, default_host="each time: 127.0.0.1")
    starting.add_argument("--detach", action="store_true", help="return once it is ready")
    again = grammar.add_command(
        nouns,
        "restart",
        restart,
        summary="Start the control plane anew, in this version and with the settings of now; it "
        "goes on by itself. No request is refused: instances go on, and a gateway that has to "
        "change takes over from the old one.",
        examples=("verdazul restart", "VERDAZUL_TLS_MINIMUM=1.3 verdazul restart"),
    )
    _declare_address(again, default_host="as last time")
    grammar.add_command(
        nouns,
        "down",
        down,
        summary="Stop everything that runs in a home. What was declared comes back with the "
        "next `verdazul up`.",
        examples=("verdazul down",),
    )
    grammar.add_command(
        nouns,
        "status",
        status,
        summary="Show every part and every instance with its process.",
        examples=("verdazul status", "verdazul status -o json"),
    )


def _declare_address(parser: Any, *, default_host: str) -> None:
    parser.add_argument(
        "--host", metavar="ADDRESS", help=f"address to listen on (default, {default_host})"
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="PORT",
        help="port to listen on (default: as last time; at first 8443, or a free one)",
    )


def port_number(text: str) -> int:
    """Read a TCP port."""
    import argparse

    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - TCP's range
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def up(session: Session, arguments: Arguments) -> None:
    """Run the control plane here, or start one that goes on by itself."""
    if arguments.detach:
        _up_detached(session, arguments)
        return
    from verdazul.launch import run_control_plane

    def ready(address: Address) -> None:
        render.say(f"verdazul is up at {address.url} (home {session.settings.home})")
        if address.reach:
            render.say(address.reach)
        render.say("end it with Ctrl-C or `verdazul down`")

    run_control_plane(
        session.settings, arguments.host, arguments.port, say=session.note, on_ready=ready
    )


def _up_detached(session: Session, arguments: Arguments) -> None:
    from verdazul.launch import start_detached

    started = start_detached(
        session.settings,
        arguments.host,
        arguments.port,
        say=session.note,
        timeout_seconds=START_SECONDS,
    )
    session.note(f"verdazul is up at {started['address']} (home {started['home']})")
    if started["reach"]:
        session.note(started["reach"])
    if session.how.output:
        render.show(started, session.how)


def restart(session: Session, arguments: Arguments) -> None:
    """Let the next control plane take over from the one that runs."""
    import asyncio

    from verdazul.home import Home
    from verdazul.launch import hand_over

    asyncio.run(hand_over(session.settings, say=session.note))
    arguments.host = arguments.host or Home(session.settings.home).kept_host()
    _up_detached(session, arguments)


def down(session: Session, arguments: Arguments) -> None:
    """Stop everything, also when the control plane is dead."""
    import asyncio

    from verdazul.launch import bring_down

    del arguments
    ended = asyncio.run(bring_down(session.settings, say=session.note))
    if not ended:
        session.note(f"nothing runs in {session.settings.home}")


def status(session: Session, arguments: Arguments) -> int:
    """Ask the control plane; without one, look at the processes themselves."""
    del arguments
    try:
        with session.work() as work:
            picture = work.workspace.connection.request("GET", "/verdazul/v1/status").body
    except Retryable as error:
        _status_without_control(session, error)
        return 4
    render.show(picture if _as_json(session) else _rows(picture), _how(session), columns=_COLUMNS)
    return 0


def _status_without_control(session: Session, error: VerdazulError) -> None:
    from verdazul.launch import leftovers

    picture = leftovers(session.settings)
    if not picture["parts"]:
        raise error
    render.show(picture if _as_json(session) else _rows(picture), _how(session), columns=_COLUMNS)
    render.say_problem(
        Problem(
            "ControlPlaneDown",
            "the control plane does not run; traffic goes on, changes must wait",
            fix="start it again with `verdazul up --detach`; nothing will be restarted",
        )
    )


def _as_json(session: Session) -> bool:
    return session.how.output not in {"", "table"} or bool(session.how.query)


def _how(session: Session) -> render.Format:
    return session.how if _as_json(session) else render.Format("table")


def _rows(picture: dict[str, Any]) -> list[dict[str, Any]]:
    """One line a part, endpoint, deployment and instance, indented by depth."""
    rows = [dict(part, detail=part["version"]) for part in picture["parts"]]
    gateway = picture.get("gateway") or {}
    problems = [*picture.get("problems", ()), *gateway.get("problems", ())]
    rows += [{"part": "  (problem)", "detail": problem["message"]} for problem in problems]
    for endpoint in picture["endpoints"]:
        rows.append(
            {
                "part": endpoint["name"],
                "state": endpoint["provisioning_state"] + ", paused" * endpoint["is_paused"],
                "detail": endpoint["scoring_uri"],
            }
        )
        if endpoint.get("trouble"):
            rows.append({"part": "  (stuck)", "detail": endpoint["trouble"]["message"]})
        for deployment in endpoint["deployments"]:
            rows += _deployment_rows(deployment)
    return rows


def _deployment_rows(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    head = {
        "part": f"  {deployment['name']}",
        "state": deployment["provisioning_state"],
        "traffic": f"{deployment['traffic']} %",
        "detail": f"{deployment['ready']} of {deployment['instance_count']} ready",
    }
    return [head] + [
        {
            "part": f"    {instance['id']}",
            "state": instance["phase"],
            "pid": instance["pid"],
            "detail": instance["why"],
        }
        for instance in deployment["instances"]
    ]
