"""How the server ends: gracefully, quickly, or with its parent."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .process import Server, dial, eventually, is_running
from .test_workers import SCRIPT, send_score


def test_sigterm_finishes_what_runs_and_what_waits(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, ThreadPoolExecutor() as pool:
        idle = dial(server.ready().path)
        held = pool.submit(server.score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        queued = pool.submit(server.score, "queued")
        eventually(lambda: server.score("x", {"x-verdazul-max-queue-wait-ms": "0"}).status == 429)
        eventually(lambda: "(1 running, 1 more" in probe_queue(server))
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""  # closed while the others are served
        idle.close()
        (tmp_path / "go").touch()

        assert (held.result().body, queued.result().body) == (b'"held"', b'"queued"')
        assert held.result().headers["connection"] == "close"
        assert server.wait() == 0


def has_heard_sigterm(server: Server) -> bool:
    return "SIGTERM" in server.log


def probe_queue(server: Server) -> str:
    return str(server.score("x", {"x-verdazul-max-queue-wait-ms": "0"}).message)


def test_sigterm_to_every_process_of_the_group_is_as_graceful(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, ThreadPoolExecutor() as pool:
        held = pool.submit(server.ready().score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        for pid in (*server.descendants(), server.process.pid):
            os.kill(pid, signal.SIGTERM)
        eventually(partial(has_heard_sigterm, server))
        (tmp_path / "go").touch()

        assert held.result().body == b'"held"'
        assert server.wait() == 0


def test_clients_that_had_connected_before_sigterm_are_served() -> None:
    with Server(SCRIPT) as server:
        server.ready().process.send_signal(signal.SIGSTOP)
        socks = [dial(server.path) for _ in range(5)]
        for sock in socks:
            send_score(sock, "early")
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        answers = [sock.recv(65536) for sock in socks]
        for sock in socks:
            sock.close()

        assert all(answer.endswith(b'"early"') for answer in answers)
        assert server.wait() == 0


def test_sigterm_answers_a_request_that_was_just_arriving() -> None:
    with Server(SCRIPT) as server, dial(server.ready().path) as sock:
        sock.sendall(b"POST /score HTTP/1.1\r\nContent-Le")
        server.ask("GET", "/")
        server.process.send_signal(signal.SIGTERM)
        eventually(partial(has_heard_sigterm, server))
        sock.sendall(b"ngth: 1\r\n\r\nx")

        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert server.wait() == 0


def test_an_idle_server_stops_at_once_and_leaves_nobody() -> None:
    script = "import atexit, os\ndef init(): atexit.register(print, 'goodbye')\ndef run(data): 1"
    with Server(script, WORKER_COUNT="2") as server:
        pids = server.ready().descendants()

        assert server.stop() == 0
        assert len(pids) == 4  # with the zygote and the mother
        assert not any(is_running(pid) for pid in pids)
        assert server.log.count("goodbye") == 2


def test_a_second_sigterm_or_sigint_does_not_wait(tmp_path: Path) -> None:
    for second in (signal.SIGTERM, signal.SIGINT):
        folder = tmp_path / second.name
        folder.mkdir()
        with Server(SCRIPT) as server, ThreadPoolExecutor() as pool:
            held = pool.submit(server.ready().score, f"hold {folder}")
            eventually((folder / "running").exists)
            server.process.send_signal(signal.SIGTERM)
            eventually(partial(has_heard_sigterm, server))
            server.process.send_signal(second)

            assert server.wait() == 0
            assert isinstance(held.exception(), ConnectionError)


def test_sigterm_during_init_ends_it() -> None:
    script = "import time\ndef init(): time.sleep(60)\ndef run(data): pass"
    with Server(script) as server:
        eventually(lambda: "Invoking user's init" in server.log)
        starting = server.ask("GET", "/")

        assert (starting.status, starting.json) == (503, {"message": "starting"})
        assert server.stop() == 0


def test_a_killed_parent_leaves_no_worker_even_inside_run(tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server, dial(server.ready().path) as sock:
        pids = server.descendants()
        send_score(sock, f"gil {tmp_path}")
        eventually((tmp_path / "running").exists)
        server.process.kill()

        eventually(lambda: not any(is_running(pid) for pid in pids))
        assert len(pids) == 4


def test_a_killed_zygote_ends_the_server(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, dial(server.ready().path) as sock:
        zygote, worker = server.descendants()
        send_score(sock, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        os.kill(zygote, signal.SIGKILL)

        assert server.wait() == 3
        assert not is_running(worker)
        assert server.failure["message"] == "the process that starts workers has died"
