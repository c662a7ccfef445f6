"""Ray Serve: N replicas in a cluster of this machine alone, in its documented high-throughput mode.

That mode puts HAProxy, which comes with it, in front of the replicas; it is several times faster
than the default. The dashboard is off.
"""

from __future__ import annotations

from serving.peer import SCORE, Environment, Peer, Place

APP = """import os
import signal
import sys

import ray
from ray import serve
from score import run

port, workers = int(sys.argv[1]), int(sys.argv[2])


@serve.deployment(num_replicas=workers, max_ongoing_requests=100, ray_actor_options={"num_cpus": 0})
class Score:
    async def __call__(self, request):
        return run(await request.body())


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ray.init(
    include_dashboard=False,
    object_store_memory=100_000_000,
    _node_ip_address="127.0.0.1",
    _temp_dir=os.path.join(os.getcwd(), "ray"),
)
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(Score.bind(), route_prefix="/score")
signal.pause()
"""


def command(place: Place) -> list[str]:
    """Its applications are programs."""
    return [str(place.python), "app.py", str(place.port), str(place.workers)]


def environ(place: Place) -> dict[str, str]:
    """High-throughput mode; its files in our folder, its other ports free ones."""
    proxy, metrics = place.folder / "haproxy", place.spare_ports
    return {
        "PYTHONPATH": str(place.folder),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(proxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics[0]),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(proxy / "server-state"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(proxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(metrics[1]),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


PEER = Peer(
    name="ray-serve",
    environment=Environment("ray", ("ray[serve]",)),
    command=command,
    environ=environ,
    files={"app.py": APP, "score.py": SCORE},
    note="high-throughput mode (HAProxy), max_ongoing_requests=100",
)
