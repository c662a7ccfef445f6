"""Calling an endpoint the way its users do: POST to its scoring URI with its key or token.

The body goes out and comes back as it is; only failures are explained.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from verdazul.client.connection import Connection, excerpt
from verdazul.model.errors import Fatal, UserError, VerdazulError

_LONGEST_ANSWER_SECONDS = 310.0  # above the longest request_timeout a deployment may have
_TOO_SLOW = (
    "the model was slower than request_settings.request_timeout_ms; raise that or speed it up"
)
_FAILED = "run() failed; read why with `verdazul online-deployment get-logs`"
_TOO_MANY = (
    "more requests in parallel than the deployment takes; raise instance_count or "
    "request_settings.max_concurrent_requests_per_instance"
)
_FIXES = {
    401: "the key or token may have been replaced or have expired; run the command again",
    403: "give the identity a role with `verdazul role assignment create`",
    404: "give a deployment traffic (`verdazul online-endpoint update --traffic`) "
    "or name one with --deployment-name",
    408: _TOO_SLOW,
    413: "send a smaller request",
    424: _FAILED,
    429: _TOO_MANY,
    502: _FAILED,
    503: "no instance is ready; see `verdazul online-deployment get-logs`",
    504: _TOO_SLOW,
}
_REASON = "ms-azureml-model-error-reason"
_EXPLAINING_HEADERS = ("ms-azureml-model-error-statuscode", _REASON)
_THEIR_OWN = (502, 504)  # of a Kubernetes endpoint: its model's error, not the server's


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """One request. `deployment` is "" when the endpoint's traffic rule is to choose."""

    url: str
    credential: str = field(repr=False)
    body: str
    deployment: str = ""


def score(connection: Connection, request: ScoringRequest) -> str:
    """Return the answer's text. Raises UserError for a 4xx answer and Fatal for a 5xx one."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {request.credential}"}
    if request.deployment:
        headers["azureml-model-deployment"] = request.deployment
    response = connection.send(
        "POST",
        request.url,
        content=request.body.encode(),
        headers=headers,
        timeout=_LONGEST_ANSWER_SECONDS,
    )
    if response.status_code not in {httpx.codes.OK, httpx.codes.CREATED}:
        raise refusal(response)
    return response.text


def refusal(response: httpx.Response) -> VerdazulError:
    """What an endpoint's answer means to the caller."""
    status = response.status_code
    is_shed = response.headers.get(_REASON) == "too_many_pending_request"
    is_ours = status >= httpx.codes.INTERNAL_SERVER_ERROR and status not in _THEIR_OWN
    family = Fatal if is_ours and not is_shed else UserError
    named = [
        f"{name}: {response.headers[name]}"
        for name in _EXPLAINING_HEADERS
        if name in response.headers
    ]
    headers = f" ({', '.join(named)})" if named else ""
    text = excerpt(response.text, limit=2000) or "(empty body)"
    return family(
        f"the endpoint answered {status}{headers}: {text}",
        code="InvokeFailed",
        fix=_TOO_MANY if is_shed else _FIXES.get(status, ""),
    )
