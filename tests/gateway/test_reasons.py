"""What Envoy's log means: reasons for refused files, and refused ports."""

from __future__ import annotations

import pytest

from verdazul.gateway.listener import numeric
from verdazul.gateway.listening import check_free, problem_of_log
from verdazul.gateway.publish import reason_in
from verdazul.model.errors import UserError

QUOTING = """\
[2030-01-01 00:00:00.001][7][warning][config] [fs.cc:81] Filesystem config update rejected: older
[2030-01-01 00:00:00.002][7][warning][config] [fs.cc:81] Filesystem config update rejected: goo.gle
name: "endpoints"
virtual_hosts {
  name: "all"
}
: Proto constraint validation failed (Clusters[0]: value is required)
[2030-01-01 00:00:00.003][7][warning][main] [server.cc:1] caught ENVOY_SIGTERM
"""


def test_a_reason_that_follows_a_quoted_file_is_found_and_the_last_one_counts() -> None:
    expected = "Proto constraint validation failed (Clusters[0]: value is required)"
    assert reason_in(QUOTING.splitlines()) == expected


def test_a_reason_over_several_lines_becomes_one() -> None:
    lines = ["[x] Filesystem config update rejected: Invalid duration:   goo", "nanos: -5"]
    assert reason_in(lines) == "Invalid duration: goo nanos: -5"


def test_a_log_without_refusal_gives_none() -> None:
    assert reason_in(["[x][warning] caught ENVOY_SIGTERM"]) == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Address already in use", "PortInUse"),
        ("Permission denied", "PortForbidden"),
        ("Cannot assign requested address", "InvalidSetting"),
        ("something new", "PortUnusable"),
    ],
)
def test_envoys_words_for_a_refused_port_are_understood(words: str, code: str) -> None:
    line = f"error adding listener '127.0.0.1:443': cannot bind '127.0.0.1:443': {words}"

    told = problem_of_log(["first", line], "127.0.0.1", 443)

    assert told
    assert told.problem.code == code
    assert told.problem.fix
    assert problem_of_log(["first"], "127.0.0.1", 443) is None


def test_a_host_by_name_is_bound_by_its_ipv4_address_where_it_has_one() -> None:
    assert numeric("localhost") == "127.0.0.1"
    assert numeric("[::1]") == "::1"


def test_a_host_that_is_not_of_here_is_refused_before_anything_starts() -> None:
    with pytest.raises(UserError) as refused:
        numeric("no such host")

    assert refused.value.problem.code == "InvalidSetting"
    assert '"no such host"' in refused.value.problem.message
    with pytest.raises(UserError, match="has no address"):
        check_free("203.0.113.1", 8443)
