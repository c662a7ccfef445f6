"""One worker process: loads the script and serves until the parent hangs up.

The first of several may instead become the mother of all (sharing.py): it runs init() once, forks
every worker, itself serves nothing, and its children find the loaded script in place.
"""

from __future__ import annotations

import errno
import faulthandler
import gc
import os
import sys
import threading
import time

from verdazul_serve import exits, logs, messages, script, sharing, warmup, zygote
from verdazul_serve.board import Board, Boards
from verdazul_serve.borrower import Borrower
from verdazul_serve.deadline import Breaker
from verdazul_serve.desk import Desk
from verdazul_serve.failure import EXIT_CODE, BootFailure
from verdazul_serve.insights import Insights
from verdazul_serve.messages import Kind, LinkLost, Message
from verdazul_serve.metering import Meter
from verdazul_serve.modes import Mode
from verdazul_serve.reading import Limits
from verdazul_serve.replies import Replies
from verdazul_serve.score import Scorer
from verdazul_serve.script import Script
from verdazul_serve.settings import Settings
from verdazul_serve.traits import Traits
from verdazul_serve.zygote import Birth

# Ours alone: a script's own children have no use for them.
_PRIVATE = ("VERDAZUL_LISTEN_FD", "VERDAZUL_FAILURE_FILE")
_COLLECTED_SECONDS = 2.0
_OOM_SCORE = 200  # when memory is short, rather a worker than those that look after them


def serve(birth: Birth, boards: Boards, settings: Settings, *, parent: int) -> int:
    """Run until the parent closes the link; returns the exit code."""
    exits.die_with_parent(parent)
    exits.ignore_stop_signals()
    faulthandler.enable()
    logs.hook_print()
    for name in _PRIVATE:
        os.environ.pop(name, None)
    if settings.model_dir:  # it may come from config.json
        os.environ.setdefault("AZUREML_MODEL_DIR", settings.model_dir)
    try:
        return _serve(birth, boards, settings)
    except LinkLost as lost:
        if getattr(lost.__cause__, "errno", None) == errno.EBADF:
            logs.server.error("the script closed the server's socket; this worker ends")
        return 1


def _serve(birth: Birth, boards: Boards, settings: Settings) -> int:
    if settings.reload:
        sys.dont_write_bytecode = True  # it is told apart by size and second: not enough here
    before = sharing.open_things()
    began = time.monotonic()
    insights = Insights(settings)
    try:
        logs.load_config(settings)
        _connect_debugger(settings)
        loaded = script.load(settings)
    except BootFailure as failure:
        messages.send(birth.link, Message(Kind.FAILED, body=failure.problem.to_json()))
        insights.init_failed(failure)
        return EXIT_CODE
    init_seconds = time.monotonic() - began
    if birth.control and _becomes_mother(birth, before, settings):
        child = _mother(birth)
        if child is None:
            os._exit(0)  # it served nothing: what init() registered with atexit is for the workers
        birth = child
    Meter(boards[birth.number]).initialised(init_seconds)
    return _work(birth, boards[birth.number], loaded, settings, insights)


def _becomes_mother(birth: Birth, before: frozenset[str], settings: Settings) -> bool:
    """Decide, and say it: to people in the log, to the parent by the control socket."""
    assert birth.control is not None  # noqa: S101  # asked before
    why = sharing.obstacle(before)
    count = settings.worker_count
    if why and not settings.worker_preload:
        logs.server.info("each of %d workers runs its own init(): %s", count, why)
        zygote.say(birth.control, {"alone": why})
        birth.control.close()
        birth.control = None
        return False
    if why:
        logs.server.warning("WORKER_PRELOAD=true although %s", why)
    text = "init() has run once for %d workers, which share its memory (WORKER_PRELOAD=false: not)"
    logs.server.info(text, count)
    zygote.say(birth.control, {"shared": True})
    return True


def _mother(birth: Birth) -> Birth | None:
    """Fork workers until the parent is gone. Returns in each of them."""
    control, birth.control = birth.control, None
    assert control is not None  # noqa: S101  # asked before
    mother = os.getpid()
    gc.collect()
    gc.freeze()  # what is here will hardly change: do not touch, hence copy, it when collecting
    child = zygote.tend(control, first=birth)
    if child is not None:
        control.close()
        exits.die_with_parent(mother)
        exits.ignore_stop_signals()
    return child


def _work(
    birth: Birth, board: Board, loaded: Script, settings: Settings, insights: Insights
) -> int:
    exits.prefer_for_oom_kill(_OOM_SCORE)
    meter = Meter(board)
    breaker = Breaker(board)
    breaker.install()
    scorer = Scorer(loaded, breaker, meter, timeout_ms=settings.scoring_timeout_ms)
    try:
        with meter.paused():
            warmup.run(scorer, settings)
    except BootFailure as failure:
        messages.send(birth.link, Message(Kind.FAILED, body=failure.problem.to_json()))
        return EXIT_CODE
    if insights.open():
        scorer.on_failure = insights.failed
    desk = Desk(
        scorer,
        board,
        Replies(settings),
        meter,
        idle_seconds=settings.idle_timeout_seconds,
        insights=insights if settings.app_insights_enabled else None,
    )
    logs.server.info("Scoring timeout is set to %d", settings.scoring_timeout_ms)
    messages.send(birth.link, Message(Kind.READY, meta=_traits(loaded, settings).to_json()))
    logs.server.info("Worker with pid %d ready for serving traffic", os.getpid())
    if loaded.is_async and not loaded.batch:
        _serve_async(birth, board, desk, loaded, settings)
    else:
        limits = Limits.of(settings)
        rule = loaded.batch
        Borrower(birth.link, board, birth.turn, desk=desk, limits=limits, rule=rule).run()
    _flush_collected()
    return 0


def _flush_collected() -> None:
    """What azureml-ai-monitoring still holds, which it would drop at the end of the process."""
    module = sys.modules.get("azureml.ai.monitoring.init")
    teardown = getattr(module, "teardown", None)
    if teardown:
        ending = threading.Thread(target=teardown, args=(True,), daemon=True)
        ending.start()
        ending.join(_COLLECTED_SECONDS)


def _serve_async(
    birth: Birth, board: Board, desk: Desk, loaded: Script, settings: Settings
) -> None:
    from verdazul_serve import context
    from verdazul_serve.tasks import Tasks

    context.use_tasks()
    tasks = Tasks(birth.link, board, desk=desk, idle_seconds=settings.idle_timeout_seconds)
    loaded.coroutines.loop.run_until_complete(tasks.run())


def _traits(loaded: Script, settings: Settings) -> Traits:
    is_async = loaded.is_async and not loaded.batch
    together = settings.async_concurrency if is_async else 1
    return Traits(
        is_async=is_async,
        together=loaded.batch.max_size if loaded.batch else together,
        is_raw=loaded.mode is Mode.RAW,
        swagger=dict(loaded.swagger),
    )


def _connect_debugger(settings: Settings) -> None:
    """Wait for the debugger that listens on AZUREML_DEBUG_PORT. Raises BootFailure."""
    if settings.debug_port is None:
        return
    try:
        import debugpy  # type: ignore[import-not-found,unused-ignore]  # noqa: T100  # the user's
    except ImportError:
        raise BootFailure(
            "ConfigurationError",
            f"AZUREML_DEBUG_PORT is {settings.debug_port}, but debugpy is not installed",
            fix='add "debugpy" to the environment, or remove AZUREML_DEBUG_PORT',
        ) from None
    logs.server.info("connecting to the debugger on port %d", settings.debug_port)
    try:
        debugpy.connect(settings.debug_port)
    except (OSError, RuntimeError) as reason:
        raise BootFailure(
            "ConfigurationError",
            f"no debugger listens on AZUREML_DEBUG_PORT {settings.debug_port}: {reason}",
            fix="start the debugger first, in listening mode",
        ) from None
    debugpy.wait_for_client()  # noqa: T100  # asked for by a variable
