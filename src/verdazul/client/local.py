"""Requests to a local deployment: plain HTTP on this machine, without a credential."""

from __future__ import annotations

import httpx

from verdazul.client.scoring import refusal
from verdazul.model.errors import Retryable

_LOOK_SECONDS = 2.0
_LONGEST_ANSWER_SECONDS = 3600.0


def answers(url: str) -> bool:
    """Whether it answers well, soon."""
    try:
        return httpx.get(url, timeout=_LOOK_SECONDS).is_success
    except httpx.HTTPError:
        return False


def score(url: str, body: str, deployment: str) -> str:
    """The answer's text. Raises UserError or Fatal for a refusal, Retryable without an answer."""
    headers = {"Content-Type": "application/json"}
    if deployment:
        headers["azureml-model-deployment"] = deployment
    try:
        response = httpx.post(
            url, content=body.encode(), headers=headers, timeout=_LONGEST_ANSWER_SECONDS
        )
    except httpx.HTTPError as error:
        raise Retryable(
            f"{url} does not answer: {error or type(error).__name__}",
            fix="see `verdazul online-deployment get-logs --local`",
        ) from None
    if not response.is_success:
        raise refusal(response)
    return response.text
