"""Seldon's MLServer: a custom handler, or adaptive batching.

One worker is its main process without a pool (parallel_workers=0), the fastest it has; several are
its pool of that many processes.
`debug` is off, as its documentation says for production; that turns its access log off too, which
is to its advantage. Adaptive batching works on its own inference protocol only, so `batching` is
another model with another path and body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from serving.peer import Environment, Peer, Place

# its workers ask for the current event loop, which newer uvloops no longer make for them
ENVIRONMENT = Environment("mlserver", ("mlserver", "uvloop<0.22"))
HANDLER = """from mlserver import MLModel
from mlserver.handlers import custom_handler


class Model(MLModel):
    async def load(self):
        return True

    @custom_handler(rest_path="/score")
    async def score(self, payload: dict) -> dict:
        return {"sum": sum(payload["data"])}
"""
BATCH = """import model
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Model(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        result = model.forward(NumpyCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output("y", result.reshape(-1, 1))
        return InferenceResponse(model_name=self.name, outputs=[output])
"""


def environ(place: Place) -> dict[str, str]:
    """Its settings, as variables."""
    grpc, metrics = place.spare_ports
    rest = {"GRPC_PORT": grpc, "METRICS_PORT": metrics, "HOST": "127.0.0.1"}
    pool = place.workers if place.workers > 1 else 0
    own = {"HTTP_PORT": place.port, "PARALLEL_WORKERS": pool, "DEBUG": "false"}
    return {f"MLSERVER_{name}": str(value) for name, value in (own | rest).items()}


def _settings(**more: float) -> str:
    return json.dumps({"name": "score", "implementation": "app.Model", **more})


PEER = Peer(
    name="mlserver",
    environment=ENVIRONMENT,
    command=lambda place: [place.script("mlserver"), "start", "."],
    environ=environ,
    files={"app.py": HANDLER, "model-settings.json": _settings()},
    note="parallel_workers 0 or 2, debug off, custom handler",
)


def batching(name: str, files: Mapping[str, str], **settings: float) -> Peer:
    """A model of its inference protocol around `files["model.py"]`, batched as `settings` say."""
    own = {"app.py": BATCH, "model-settings.json": _settings(**settings)}
    return Peer(
        name=name,
        environment=ENVIRONMENT,
        command=PEER.command,
        environ=environ,
        files=own | dict(files),
        path="/v2/models/score/infer",
        note=", ".join(f"{key}={value}" for key, value in settings.items()) or "no batching",
    )
