"""What all tests share: how Hypothesis runs on a slow or shared machine.

No deadlines: time says nothing on a busy machine. In continuous integration the same examples are
drawn each time, so that a change is judged by its content; at a desk they differ from run to run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("desk"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
