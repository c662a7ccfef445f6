"""Where ours answers otherwise on purpose. The suite fails when one is not there any more."""

from __future__ import annotations

from serve.tests.differential.accepted import Accepted, AcceptedBoot, Headers, Ours, each
from serve.tests.differential.servers import VERSION

_IDS: Headers = (("x-request-id", "<new id 1>"), ("x-ms-request-id", "<new id 1>"))
_NAMED: Headers = (*_IDS, ("x-ms-server-version", VERSION))
_GIVEN: Headers = (
    ("x-request-id", "a"),
    ("x-ms-request-id", "b"),
    ("x-ms-client-request-id", "b"),
    ("x-ms-server-version", VERSION),
)
_MEASURED: Headers = (("x-ms-run-fn-exec-ms", "<milliseconds>"),)
_JSON: Headers = (("content-type", "application/json"), ("x-ms-run-function-failed", "False"))
_FAILED: Headers = (
    ("content-type", "application/json"),
    ("x-ms-run-function-failed", "True"),
    *_NAMED,
)
_BUSY: Headers = (("x-verdazul-busy-workers", "<count> of <count>"),)
_SCORE_ALLOWS: Headers = (("allow", "GET, OPTIONS, POST"),)
_OTHER_ALLOWS: Headers = (("allow", "GET, HEAD, OPTIONS"),)

_NOT_UTF_8 = "'utf-8' codec can't decode byte 0x{:x} in position {}: invalid start byte"
_RAISED = (
    b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'
)
_INTERNAL = b'{"message": "An unexpected internal error occurred. Check the logs for more info."}'
_TOO_LONG = b'{"message": "x-request-id must not exceed 100 characters"}'


def _message(text: str) -> bytes:
    return b'{"message": "%s"}' % text.encode()


def _malformed(why: str) -> bytes:
    return _message("not a valid HTTP/1.1 request: " + why)


_ROUTES = (
    *each(
        "plain-unknown plain-unknown-get plain-unknown-head plain-unknown-options plain-healthz"
        " plain-trailing-slash plain-below plain-upper"
        " plain-dots plain-dots-up plain-parameter plain-encoded-query-mark plain-not-utf-8"
        " plain-star raw-unknown-path",
        "an unknown path's answer carries ids and version as any other",
        Ours(headers=_NAMED),
    ),
    *each(
        "plain-put plain-delete plain-patch plain-trace raw-put schema-put",
        "a refused method's answer carries ids and version, and says what is allowed (RFC 9110)",
        Ours(headers=(*_NAMED, *_SCORE_ALLOWS)),
    ),
    *each(
        "plain-health-post plain-health-delete plain-swagger-post",
        "(as above, of the other routes)",
        Ours(headers=(*_NAMED, *_OTHER_ALLOWS)),
    ),
    Accepted(
        "ids-trace-unknown-path",
        "ids on unknown paths, the trace id among them",
        Ours(headers=(*_NAMED, ("traceid", "t"))),
    ),
    Accepted(
        "ids-given-unknown-path",
        "ids on unknown paths, given ones as well",
        Ours(headers=_GIVEN),
    ),
    Accepted(
        "ids-given-put",
        "ids on refused methods, given ones as well",
        Ours(headers=(*_GIVEN, *_SCORE_ALLOWS)),
    ),
    *each(
        "ids-own-long-unknown-path ids-own-long-put",
        "ids are looked at before path and method, so one that is too long is told everywhere",
        Ours(status=431, body=_TOO_LONG, headers=(("x-ms-server-version", VERSION),)),
    ),
    Accepted(
        "plain-metrics",
        "ours has a page for Prometheus",
        Ours(
            status=200,
            like=r"# HELP verdazul_.*\n",
            headers=(("content-type", "text/plain; version=0.0.4; charset=utf-8"), *_NAMED),
            without=("x-ms-run-function-failed",),
        ),
    ),
    *each(
        "plain-health plain-health-query plain-health-head raw-health"
        " ids-*-longest-health ids-*-id-empty-health ids-empty-own-health ids-trace-health"
        " world-version-on-health world-version-odd-health world-version-off-health"
        " cors-*-health-from-? cors-*-head-from-?",
        "GET / also says how many workers are busy",
        Ours(headers=_BUSY),
    ),
    Accepted(
        "plain-absolute-root",
        "an absolute address without a path is the root's (RFC 9112); no redirect is needed",
        Ours(
            status=200,
            body=b"Healthy",
            headers=(*_NAMED, *_BUSY),
            without=("location",),
        ),
    ),
)

_PARSING = (
    *each(
        "plain-expect headers-expect",
        "the body came with its head, so nobody waits for a 100 (RFC 9110, 10.1.1)",
        Ours(interim=()),
    ),
    Accepted(
        "plain-get-raw-bytes",
        "both refuse bytes outside ASCII in an address; ours in JSON",
        Ours(body=_malformed("Invalid char in url query"), headers=_JSON),
    ),
    Accepted(
        "plain-raw-bytes",
        "both refuse bytes outside ASCII in an address; ours in JSON",
        Ours(body=_malformed("Invalid char in url path"), headers=_JSON),
    ),
    Accepted(
        "plain-lower-method",
        "both refuse a method in small letters; ours in JSON",
        Ours(body=_malformed("Invalid method encountered"), headers=_JSON),
    ),
    Accepted(
        "plain-unknown-method",
        "a method that is not registered anywhere is refused as malformed",
        Ours(status=400, body=_malformed("Invalid method encountered")),
    ),
    Accepted(
        "headers-repeated-type",
        "a second Content-Type is refused by gunicorn; ours joins it like any repeated header",
        Ours(
            status=200,
            body=b'["dict", ["str"], [["Content-Length", "2"],'
            b' ["Content-Type", "text/plain,text/html"], ["Host", "score.test"]], "{}"]',
            headers=(*_JSON, *_NAMED, *_MEASURED),
        ),
    ),
)

_FORMS = (
    Accepted(
        "plain-form",
        "a form-typed body reaches run() as it was sent; curl's default type loses nothing",
        Ours(body=b'"{\\"a\\": 1}"'),
    ),
    Accepted("plain-form-charset", "(as plain-form)", Ours(body=b'"a=1&b=2"')),
    Accepted(
        "plain-multipart-text",
        "(as plain-form, of a multi-part form)",
        Ours(like=r'"------the-boundary.*name=\\"a\\".*-the-boundary--\\r\\n"'),
    ),
    Accepted(
        "plain-form-not-utf-8",
        "(as plain-form: so it has to be UTF-8)",
        Ours(
            status=400,
            body=_message("Input cannot be decoded as UTF-8: " + _NOT_UTF_8.format(0xFF, 2)),
            without=("x-ms-run-fn-exec-ms",),
        ),
    ),
    Accepted(
        "plain-multipart",
        "(as plain-form-not-utf-8)",
        Ours(
            status=400,
            body=_message("Input cannot be decoded as UTF-8: " + _NOT_UTF_8.format(0x80, 280)),
            without=("x-ms-run-fn-exec-ms",),
        ),
    ),
)

_ENDS = (
    *each(
        "fails-cancelled fails-generator-exit fails-own-base ends-sys-exit ends-sys-exit-*"
        " ends-system-exit ends-keyboard-interrupt",
        "whatever run() raises is answered as an exception, in JSON, not in gunicorn's HTML",
        Ours(status=500, body=_RAISED, headers=_FAILED),
    ),
    *(
        Accepted(
            f"dies-by-{name}",
            "a worker's death is answered, not shown as a dropped connection",
            Ours(
                status=500,
                like=r'\{"message": "The worker process died while it ran this request: '
                + how
                + r'\."\}',
                headers=_FAILED,
            ),
        )
        for name, how in {
            "os-exit": "exit code 0",
            "os-exit-code": "exit code 9",
            "segfault": r"killed by signal 11 \(SIGSEGV\)",
            "killed": r"killed by signal 9 \(SIGKILL\).*",
        }.items()
    ),
)

_RETURNED = (
    Accepted(
        "returns-generator",
        "a generator is streamed",
        Ours(
            status=200,
            body=b"ab",
            headers=(("content-type", "text/plain; charset=utf-8"), *_MEASURED),
        ),
    ),
    Accepted(
        "returns-coroutine",
        "async run() is awaited",
        Ours(status=200, body=b'"awaited"', headers=_MEASURED),
    ),
    Accepted(
        "response-json-with-type",
        "one Content-Type is sent, the script's",
        Ours(headers=(("content-type", "application/problem+json"),)),
    ),
    Accepted(
        "response-type-lower",
        "one Content-Type is sent, the script's",
        Ours(headers=(("content-type", "text/csv"),)),
    ),
    Accepted(
        "response-type-comma",
        "one Content-Type is sent, as the script wrote it",
        Ours(headers=(("content-type", "text/plain, text/csv"),)),
    ),
    Accepted(
        "response-int",
        "what cannot be iterated is told in JSON, not in gunicorn's HTML",
        Ours(body=_INTERNAL, headers=(*_JSON, *_NAMED)),
    ),
    Accepted(
        "raw-kind",
        "the request is Flask's own, not a proxy of it; isinstance() says the same of both",
        Ours(like=r'\[\["kind", \["_Request", false, true\]\], .*'),
    ),
)

_WORLDS = (
    *each(
        "world-version-own world-version-own-long-id",
        "the original's launcher overwrites HTTP_X_MS_SERVER_VERSION; ours is told by it",
        Ours(headers=(("x-ms-server-version", "my/7"),)),
    ),
    Accepted(
        "world-version-own-health",
        "(as above, and the busy workers)",
        Ours(headers=(("x-ms-server-version", "my/7"), *_BUSY)),
    ),
    *each(
        "world-version-off-though-told world-version-off-though-told-long-id",
        "SERVER_VERSION_LOG_RESPONSE_ENABLED=false drops the header, as documented, set or not",
        Ours(without=("x-ms-server-version",)),
    ),
    Accepted(
        "world-version-off-though-told-health",
        "(as above, and the busy workers)",
        Ours(without=("x-ms-server-version",), headers=_BUSY),
    ),
    *each(
        "world-version-unset world-version-unset-long-id",
        "ours says who it is",
        Ours(headers=(("x-ms-server-version", "verdazul-serve/0.1.0"),)),
    ),
    Accepted(
        "world-version-unset-health",
        "(as above, and the busy workers)",
        Ours(headers=(("x-ms-server-version", "verdazul-serve/0.1.0"), *_BUSY)),
    ),
    *each(
        "swagger-empty-name-2 swagger-empty-name-3",
        "an empty variable counts as not set",
        Ours(like=r'.*"title": "ML service",\n\s*"version": "1.0"\n.*'),
    ),
    Accepted(
        "world-variables",
        "the original's launcher writes into the script's environment",
        Ours(like=r'.*, "AML_APP_INSIGHTS_ENABLED": null\}'),
    ),
)

_CORS_A: Headers = (("access-control-allow-origin", "https://a.test"), ("vary", "Origin"))
_CORS_C: Headers = (("access-control-allow-origin", "https://c.test"), ("vary", "Origin"))
_CORS_METHODS: Headers = (("access-control-allow-methods", "GET, POST"),)


def _cors_everywhere(allowed: str, origin: str, headers: Headers) -> tuple[Accepted, ...]:
    """On paths and methods that are refused, too."""
    reason = "a page that may read our answers may read refusals, ids included"
    preflight = (*headers, *_CORS_METHODS) if headers else ()
    return (
        Accepted(f"cors-{allowed}-unknown-from-{origin}", reason, Ours(headers=headers + _NAMED)),
        Accepted(
            f"cors-{allowed}-unknown-preflight-from-{origin}",
            reason,
            Ours(headers=preflight + _NAMED),
        ),
        Accepted(
            f"cors-{allowed}-put-from-{origin}",
            reason,
            Ours(headers=headers + _SCORE_ALLOWS + _NAMED),
        ),
    )


_CORS = (
    *_cors_everywhere("several", "a", _CORS_A),
    *_cors_everywhere("several", "c", ()),
    *_cors_everywhere("star", "a", _CORS_A),
    *_cors_everywhere("star", "c", _CORS_C),
    *each(
        "cors-pattern-post-from-b cors-pattern-preflight-from-b",
        "a pattern has to match the whole origin, or https://a.test.invalid would be let in",
        Ours(without=("access-control-allow-origin", "access-control-allow-methods", "vary")),
    ),
    *each(
        "cors-empty-among-post-from-none cors-empty-among-preflight-from-none",
        "nothing between two commas is no origin",
        Ours(headers=(("access-control-allow-origin", "https://a.test"),), without=("vary",)),
    ),
    *each(
        "cors-empty-among-post-from-a cors-empty-among-post-from-upper"
        " cors-empty-among-preflight-from-a cors-empty-among-preflight-from-upper",
        "nothing between two commas is no origin, so there is one and nothing varies",
        Ours(without=("vary",)),
    ),
    Accepted(
        "world-config-cors",
        "config.json may name the origins, as documented",
        Ours(headers=(("access-control-allow-origin", "*"),)),
    ),
)

ACCEPTED: tuple[Accepted, ...] = (
    *_ROUTES,
    *_PARSING,
    *_FORMS,
    *_ENDS,
    *_RETURNED,
    *_WORLDS,
    *_CORS,
)

ACCEPTED_BOOTS = (
    AcceptedBoot("boot-timeout-empty", "an empty variable counts as not set", None),
    AcceptedBoot("boot-timeout-negative", "there is no negative time; ours says so at once", 3),
    AcceptedBoot("boot-insights-text", "a wrong value is told, not taken for false", 3),
    AcceptedBoot(
        "boot-service-name-quoted", "a name with quotes is written as JSON wants it", None
    ),
)
