"""Kubernetes endpoints over HTTP: what is put, what is shown, and kinds that do not mix."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import WORKSPACE
from tests.api.door import Door, Tell, deployment_body, endpoint_body, problem

CREDIT = "onlineEndpoints/credit"
BLUE = f"{CREDIT}/deployments/blue"
RESOURCES = {
    "containerResourceRequests": {"cpu": "0.1", "memory": "0.1Gi"},
    "containerResourceLimits": {"cpu": "0.2", "memory": "200Mi"},
}
