"""What parent and worker have to agree on about a script."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

FAST_SECONDS = 0.005  # a script that answers quicker is trusted with connections of its own


@dataclass(frozen=True)
class Traits:
    """What a worker says of its script once it is ready."""

    is_async: bool = False
    together: int = 1  # requests that it takes at the same time
    is_raw: bool = False  # OPTIONS and HEAD reach it too
    swagger: dict[str, bytes] = field(default_factory=dict)

    def to_json(self) -> bytes:
        texts = {name: data.decode("latin-1") for name, data in self.swagger.items()}
        return json.dumps({**vars(self), "swagger": texts}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Traits:
        values = json.loads(data)
        texts = values.pop("swagger")
        return cls(**values, swagger={name: text.encode("latin-1") for name, text in texts.items()})
