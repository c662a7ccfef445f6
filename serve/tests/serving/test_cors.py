"""Which sites may read our answers, as Flask-CORS says it for Azure's server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import cors
from verdazul_serve.reading import Request

from .loading import logged, request

pytestmark = pytest.mark.azure(97)

ALLOW = "Access-Control-Allow-Origin"
VARY = ("Vary", "Origin")
A, B = "http://a.test", "https://b.test"


def headers(origins: tuple[str, ...], origin: str | None = None) -> cors.Pairs:
    asked = request() if origin is None else request(origin=origin)
    return cors.headers(origins, asked)


@pytest.mark.parametrize(
    ("origins", "origin", "added"),
    [
        ((), A, ()),
        (("*",), None, ((ALLOW, "*"),)),
        (("*",), A, ((ALLOW, A), VARY)),
        ((A,), None, ((ALLOW, A),)),
        ((A,), A, ((ALLOW, A),)),
        ((A,), A.upper(), ((ALLOW, A.upper()),)),
        ((A,), B, ()),
        ((B, A), None, ((ALLOW, A), VARY)),
        ((B, A), B, ((ALLOW, B), VARY)),
        ((B, A), "http://evil", ()),
        (("*", A), None, ((ALLOW, "*"),)),
        ((r"https://.*\.a\.test",), "https://x.a.test", ((ALLOW, "https://x.a.test"), VARY)),
        ((r"https://.*\.a\.test",), "https://x.a.test.invalid", ()),
        ((r"https://.*\.a\.test",), None, ()),
    ],
)
def test_an_origin_is_allowed_when_it_is_listed(
    origins: tuple[str, ...], origin: str | None, added: cors.Pairs
) -> None:
    assert headers(origins, origin) == added


@given(st.lists(st.text(max_size=5), max_size=3), st.text(max_size=5))
def test_no_origin_at_all_is_repeated_unless_something_allows_it(
    origins: list[str], origin: str
) -> None:
    plain = tuple(each for each in origins if each.isalnum())

    added = headers(plain, origin) if origin.isascii() else ()

    is_listed = any(each.casefold() == origin.casefold() for each in plain)
    assert (ALLOW, origin) not in added or is_listed


def test_an_expression_that_is_none_allows_nobody_and_is_told_once() -> None:
    with logged("azmlinfsrv") as lines:
        added = [headers(("*.untold.com",), "http://x.untold.test") for _ in range(2)]

    assert added == [(), ()]
    assert [line.partition(";")[0] for line in lines] == [
        "AML_CORS_ORIGINS: '*.untold.com' allows nobody"
    ]


def preflight(**asked: str) -> cors.Pairs:
    pairs = tuple(
        (f"access-control-request-{name}".replace("_", "-"), value) for name, value in asked.items()
    )
    return cors.headers((A,), Request("OPTIONS", "/score", (("origin", A), *pairs), b""))


@pytest.mark.parametrize("method", ["GET", "POST", "post"])
def test_a_preflight_is_told_the_methods_and_the_headers_it_asked_for(method: str) -> None:
    assert preflight(method=method, headers="x-b, Content-Type,a") == (
        (ALLOW, A),
        ("Access-Control-Allow-Headers", "Content-Type, a, x-b"),
        ("Access-Control-Allow-Methods", "GET, POST"),
    )


def test_a_preflight_without_headers_is_told_of_none() -> None:
    assert preflight(method="POST")[1:] == (("Access-Control-Allow-Methods", "GET, POST"),)


@pytest.mark.parametrize("method", ["PUT", "os", ""])
def test_a_preflight_for_another_method_is_told_nothing_more(method: str) -> None:
    assert preflight(method=method, headers="x") == ((ALLOW, A),)


def test_a_private_network_is_not_opened() -> None:
    told = ("Access-Control-Allow-Private-Network", "false")

    assert told in preflight(private_network="true")
    assert told not in preflight(private_network="false")


def test_what_a_script_says_itself_is_left_alone() -> None:
    asked = request(origin=A)
    own = (("access-control-allow-origin", "http://mine"),)

    assert cors.merged(own, ("*",), asked) == own
    assert cors.merged((("X-A", "1"),), (A,), asked) == (("X-A", "1"), (ALLOW, A))
