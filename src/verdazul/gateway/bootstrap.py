"""What Envoy is told at start: admin, listener, control API, and where the rest is to be read.

Paths are relative to Envoy's working directory, the home folder: a unix socket's name must stay
under 108 characters. Its text, with the command line, tells whether a running Envoy still is what
we would start.
"""

from __future__ import annotations

import json

from verdazul.gateway import split
from verdazul.gateway.clusters import Json, control_cluster
from verdazul.gateway.listener import CONNECTIONS, Connections, listener
from verdazul.gateway.tls import Tls

CONTROL_SOCKET = "unix:run/api.sock"


def admin_socket(number: int = 1) -> str:
    """Where the gateway process of that number is asked."""
    return "run/envoy-admin.sock" if number == 1 else f"run/envoy-admin-{number}.sock"


def bootstrap(
    host: str,
    port: int,
    *,
    tls: Tls | None = None,
    number: int = 1,
    is_shared: bool = False,
    is_logged: bool = True,
    connections: Connections = CONNECTIONS,
) -> str:
    """The JSON text of Envoy's bootstrap.

    `is_shared`: another process listens there too; `is_logged`: each request leaves a row.
    """
    public = listener(
        host, port, tls or Tls(), connections, is_shared=is_shared, is_logged=is_logged
    )
    source = {"path": "gateway/cds/cds.json", "watched_directory": {"path": "gateway/cds"}}
    config = {
        # Counters of a cluster come to be with its first request: thousands cost little until then.
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "node": {"id": "verdazul", "cluster": "verdazul"},
        "admin": {"address": {"pipe": {"path": admin_socket(number), "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": {"resource_api_version": "V3", "path_config_source": source}
        },
        "layered_runtime": split.runtime(),
        "static_resources": {
            "listeners": [public],
            "clusters": [control_cluster(CONTROL_SOCKET)],
        },
    }
    if connections.at_once:
        monitors = [_most_connections(connections.at_once)]
        config["overload_manager"] = {"resource_monitors": monitors}
    return json.dumps(config, indent=1)


def _most_connections(most: int) -> Json:
    monitor = "downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"type.googleapis.com/envoy.extensions.resource_monitors.{monitor}",
            "max_active_downstream_connections": most,
        },
    }
