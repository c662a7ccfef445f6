"""Which of a deployment's instances a request goes to, and which one gets none for a while.

Only instances that are ready stand in a cluster at all (`core.route`); this is about what may
happen between one change of it and the next. How many requests an instance works on at a time is
its own affair: it knows which of its workers are free, and queues the rest.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_TYPE = "type.googleapis.com/"
# Who holds the fewest of four that are drawn. Not of all: one that has just died holds none, and
# each further draw would find it again.
_CHOICES = 4
# Two dead ones of three are avoided by one draw in 81.
_DRAWS_FOR_ANOTHER = 1000
_FAILURES_IN_A_ROW = 5


def least_loaded() -> Json:
    """Part of a cluster: the instance that holds the fewest requests, but none that fails."""
    return {
        "lb_policy": "LEAST_REQUEST",
        "least_request_lb_config": {"choice_count": _CHOICES},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": _outliers(),
    }


def _outliers() -> Json:
    """Spare, for some seconds, an instance that refuses, breaks off or is late again and again.

    Never more than half of them, hence never the only one. An answer counts for it, be it 503:
    that is the model's word (`no_answer_is_an_error`), and the next request may get another. Local
    errors are not told apart from others: each new connection would then count as a success.
    """
    return {
        "consecutive_gateway_failure": _FAILURES_IN_A_ROW,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "max_ejection_percent": 50,
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_time": "30s",
    }


def no_answer_is_an_error() -> Json:
    """Part of a cluster's HTTP options: what outliers are told by are failures, not statuses."""
    return {"outlier_detection": {"error_matcher": {"not_match": {"any_match": True}}}}


def retry_what_was_not_sent() -> Json:
    """Part of a route: another instance is tried where the first has not seen the request."""
    kind = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": _TYPE + kind},
            }
        ],
        "host_selection_retry_max_attempts": _DRAWS_FOR_ANOTHER,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.02s"},
    }
