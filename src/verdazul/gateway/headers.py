"""Every rule about headers, in the order in which a request and its answer meet them.

    a request comes in    nobody steers by x-request-id, x-verdazul-* or x-envoy-*   on_entry
    is to an endpoint     x-verdazul-path tells the path, before it is rewritten     path_is_noted
    of Kubernetes         x-verdazul-kubernetes: 1 tells replies.py how to refuse    per_route
    is judged             x-ms-client-request-id is cleaned                          filter.lua
    is led on             its credential stays here; it takes its times along        to_instance
    an answer comes       what steers Envoy, or passes for us, is dropped            from_instance
    is not simply good    424, or 429 (502, 503 of Kubernetes), and why              answers.lua
    goes out              who answered, the model's time, the caller's own id        to_caller
    is a refusal          not even who would have answered                           filter.lua
    is made by Envoy      why                                                        replies.py

Scripts do what configuration cannot say, and run only where it is needed: filter.lua on each
request to an endpoint and on each answer but 200, answers.lua on each answer of a model that is not
simply good. Notes are headers where they can be: metadata of the stream costs more.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DEPLOYMENT_HEADER = "azureml-model-deployment"
PATH_HEADER = "x-verdazul-path"
KUBERNETES_HEADER = "x-verdazul-kubernetes"
CLIENT_ID_HEADER = "x-ms-client-request-id"
KNOWN_CONNECTION_HEADER = "x-verdazul-known-connection"
QUEUE_WAIT_HEADER = "x-verdazul-max-queue-wait-ms"
TIME_LEFT_HEADER = "x-envoy-expected-rq-timeout-ms"
MODEL_TIME_HEADER = "ms-azureml-model-time"
REASON_HEADER = "ms-azureml-model-error-reason"
STATUS_HEADER = "ms-azureml-model-error-statuscode"
# From the last byte of the request to the first of the answer.
_MODEL_TIME = "%COMMON_DURATION(DS_RX_END:US_RX_BEG:ms)%"
_NOTES = "verdazul.path"  # the filter
_TYPE = "type.googleapis.com/envoy.extensions."


def on_entry() -> Json:
    """Drop request headers by which a caller could steer Envoy or an instance."""
    mutations = [{"remove": "x-request-id"}, _remove_all("x-verdazul-"), _remove_all("x-envoy-")]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": _TYPE + "http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": mutations,
        },
    }


def path_is_noted() -> Json:
    """A filter for endpoints only (`per_route`): what it notes says that a request is to one."""
    noted = {"append": overwrite(PATH_HEADER, "%PATH(NQ):300%")}
    return _mutation(_NOTES, {"request_mutations": [noted]}) | {"disabled": True}


def per_route(*, is_kubernetes: bool) -> Json:
    """On every route of an endpoint; its kind is noted, too, where it says how to refuse."""
    if not is_kubernetes:
        return {_NOTES: switched_on()}
    noted = {"append": overwrite(KUBERNETES_HEADER, "1")}
    kind = _TYPE + "filters.http.header_mutation.v3.HeaderMutationPerRoute"
    return {_NOTES: {"@type": kind, "mutations": {"request_mutations": [noted]}}}


def switched_on() -> Json:
    """What a route says to a filter that is off elsewhere."""
    return {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}


def to_instance(*, max_queue_wait_ms: int, time_left_ms: int) -> Json:
    """Part of a route: an instance learns how long a request may wait, and never who may call."""
    return {
        "request_headers_to_remove": ["authorization", KNOWN_CONNECTION_HEADER],
        "request_headers_to_add": [
            overwrite(QUEUE_WAIT_HEADER, str(max_queue_wait_ms)),
            overwrite(TIME_LEFT_HEADER, str(time_left_ms)),
        ],
    }


def to_nobody() -> Json:
    """Part of all routes: what Envoy has found out about a caller (the router adds nothing)."""
    return {"request_headers_to_remove": ["x-envoy-internal", "x-envoy-external-address"]}


def from_instance() -> Json:
    """A filter which only answers from upstream pass."""
    mutations = [_remove_all("x-envoy-"), _remove_all("x-verdazul-")]
    return _mutation("envoy.filters.http.header_mutation", {"response_mutations": mutations})


def to_caller(deployment: str = "") -> Json:
    """Part of each route of an endpoint, also for what is answered here."""
    client_id = overwrite(CLIENT_ID_HEADER, f"%REQ({CLIENT_ID_HEADER})%")
    if not deployment:
        return {"response_headers_to_add": [client_id]}
    return {
        # A model's own words are no more true for there being none of ours.
        "response_headers_to_remove": [CLIENT_ID_HEADER, MODEL_TIME_HEADER],
        "response_headers_to_add": [
            overwrite(DEPLOYMENT_HEADER, deployment),
            overwrite(MODEL_TIME_HEADER, _MODEL_TIME),
            client_id,
        ],
    }


def overwrite(key: str, value: str) -> Json:
    """A header that stands once; none when its value turns out empty."""
    return {
        "header": {"key": key, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _mutation(name: str, mutations: Json) -> Json:
    kind = _TYPE + "filters.http.header_mutation.v3.HeaderMutation"
    return {"name": name, "typed_config": {"@type": kind, "mutations": mutations}}


def _remove_all(prefix: str) -> Json:
    return {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
