"""What needs a new instance when it changes.

A `Bundle` is everything an instance is made from, resolved to content digests, so that neither a
re-registered asset nor a deleted one can change what a running deployment means. Its digest is the
revision. Scale, traffic, tags and request limits are deliberately not in it: changing them restarts
nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache

from verdazul.core.environment import Recipe
from verdazul.core.instance import Limits, Probe


@dataclass(frozen=True, slots=True)
class ModelMount:
    """A model's files (an artifact digest) under the name and version that scripts may look for."""

    digest: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All that makes an instance. `code` is an artifact digest, `variables` are sorted.

    `limits` None: those of the instance type, which is one of Azure's sizes.
    """

    code: str
    scoring_script: str
    model: ModelMount | None
    recipe: Recipe
    variables: tuple[tuple[str, str], ...]
    instance_type: str
    liveness: Probe
    readiness: Probe
    limits: Limits | None = None
    is_isolated: bool = False

    @property
    def revision(self) -> str:
        """Ten hex digits of the digest over everything above."""
        return _revision(self)

    @property
    def artifacts(self) -> frozenset[str]:
        """Digests of the artifacts it needs on disk."""
        return frozenset({self.code} | ({self.model.digest} if self.model else set()))


@lru_cache(maxsize=16384)  # asked a dozen times at every look at a deployment
def _revision(bundle: Bundle) -> str:
    content = asdict(bundle)
    for name, before_it_was in (("limits", None), ("is_isolated", False)):
        if content[name] is before_it_was:  # so that what was a revision before stays the same one
            del content[name]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]
