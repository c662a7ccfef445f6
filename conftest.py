"""What all tests share: how Hypothesis runs on a slow or shared machine.

No deadlines: time says nothing on a busy machine. In continuous integration the same examples are
drawn each time, so that a change is judged by its content; at a desk they differ from run to run.

A run in the background may be started with the terminal's signals ignored, which every process
that a test starts would inherit.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("desk"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
