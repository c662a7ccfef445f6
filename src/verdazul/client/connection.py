"""One HTTP connection to the server: requests in, parsed answers or Problems out.

The token goes to the server's own address and nowhere else: uploads and scoring carry their own
credentials. Every request has a timeout, and every failure becomes a VerdazulError here, so that
nothing above this module knows httpx.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from verdazul.client.login import Access, Login, keep_login
from verdazul.client.server import NotRunning, Server
from verdazul.model.errors import (
    Conflict,
    Fatal,
    NotFound,
    PreconditionFailed,
    Problem,
    Retryable,
    UserError,
    VerdazulError,
)

API_VERSION = "2023-04-01"
_READ_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_FAMILIES: Mapping[int, type[VerdazulError]] = {
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: Retryable,
    503: Retryable,
    504: Retryable,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: status, body as read from JSON (None when empty), headers."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        """The version that was read, for If-Match ("" when the server sent none)."""
        return self.headers.get("etag", "")

    @property
    def operation(self) -> str:
        """Where to watch the operation that this request began ("" when it is done already)."""
        return self.headers.get("azure-asyncoperation", "")


class Connection:
    """A context manager. `trace` gets one line for each request, without secrets."""

    def __init__(
        self, server: Server, *, trace: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._server = server
        self._trace = trace
        self._client = httpx.Client(verify=_trust(server), trust_env=not server.is_loopback)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.close()

    @property
    def address(self) -> str:
        """The server's address."""
        return self._server.address

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Ask the control plane. Raises the VerdazulError that the status and body stand for."""
        response = self.send(
            method,
            self._server.address + path,
            json=body,
            params={"api-version": API_VERSION, **(query or {})},
            headers={"Authorization": f"Bearer {self._credential()}", **(headers or {})},
            timeout=timeout,
        )
        if response.is_error:
            raise _refusal(response)
        return Answer(response.status_code, _json(response), response.headers)

    def token_for(self, resource: str) -> tuple[str, int]:
        """A token of whoever is logged in, else of the home's owner, and when it ends."""
        if self._server.login:
            ours = resource.rstrip("/").lower() == self.address.lower()
            access = self._access(self._server.login, "" if ours else resource)
            return access.token, int(access.expires_at)
        answer = self.request(
            "GET",
            "/msi/token",
            query={"resource": resource},
            headers={"X-IDENTITY-HEADER": self._server.token},
        )
        return str(answer.body["access_token"]), int(answer.body["expires_on"])

    def _credential(self) -> str:
        if self._server.login is None:
            return self._server.token
        return self._access(self._server.login).token

    def _access(self, login: Login, resource: str = "") -> Access:
        """For the control API (""), or another resource. What is got anew is kept, so that the
        next command need not ask.
        """
        from verdazul.client.issuer import CONTROL, access

        newer, found = access(self, login, resource or CONTROL)
        if newer is not login:
            self._server = replace(self._server, login=newer)
            if self._server.home:
                keep_login(self._server.home, newer)
        return found

    def follow(self, url: str) -> Answer:
        """GET a link that an answer carried; only its path counts, so no other host is asked."""
        parts = urlsplit(url)
        pairs = dict(httpx.QueryParams(parts.query))
        return self.request("GET", parts.path, query=pairs)

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every entry of a list, page by page."""
        answer = self.request("GET", path, query=query)
        seen: set[str] = set()
        while True:
            body = answer.body or {}
            yield from body.get("value") or ()
            link = str(body.get("nextLink") or "")
            if not link or link in seen:
                return
            seen.add(link)
            answer = self.follow(link)

    def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes | Iterable[bytes] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        """Send one request with exactly these headers; raise only when no answer came."""
        started = time.monotonic()
        with _failures_named(url):
            response = self._client.request(
                method,
                url,
                content=content,
                json=json,
                data=form,
                params=params,
                headers=headers,
                timeout=httpx.Timeout(timeout or _READ_SECONDS, connect=_CONNECT_SECONDS),
            )
        took = round((time.monotonic() - started) * 1000)
        self._trace(f"{method} {without_query(url)} -> {response.status_code} in {took} ms")
        return response

    def save(self, url: str, file: Path, *, on_bytes: Callable[[int], None]) -> None:
        """GET straight into a file, whatever its size. Raises what the status stands for."""
        with (
            _failures_named(url),
            self._client.stream("GET", url, timeout=_READ_SECONDS) as response,
        ):
            if response.is_error:
                response.read()
                raise _refusal(response)
            with file.open("wb") as opened:
                for chunk in response.iter_bytes(1 << 20):
                    opened.write(chunk)
                    on_bytes(len(chunk))
        self._trace(f"GET {without_query(url)} -> {response.status_code}, saved")


def without_query(url: str) -> str:
    """Cut a URL before its query, where signatures are."""
    return url.partition("?")[0]


def problem_of(body: object, *, otherwise: Problem) -> Problem:
    """Read an ARM error object; `otherwise` when it is none."""
    try:
        return Problem.from_arm(body) if body else otherwise  # type: ignore[arg-type] # checked
    except (AttributeError, KeyError, TypeError):
        return otherwise


def _trust(server: Server) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca)
    except (OSError, ssl.SSLError):
        raise UserError(
            f"{server.ca} cannot be read as a certificate (PEM)",
            code="CertificateMissing",
            fix="point VERDAZUL_CA at the server's certs/ca.pem",
        ) from None
    if server.ca:  # an own certificate is trusted as itself, whoever has signed it
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if server.identity:
        _show(context, *server.identity)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"{certificate} and {key} cannot be shown as a client certificate: {error}",
            code="CertificateMissing",
            fix="VERDAZUL_CLIENT_CERTIFICATE and VERDAZUL_CLIENT_KEY name a pair of PEM files",
        ) from None


@contextmanager
def _failures_named(url: str) -> Iterator[None]:
    where = without_query(url)
    try:
        yield
    except httpx.ConnectError as error:
        raise _cannot_connect(where, str(error)) from None
    except httpx.ConnectTimeout:
        raise _cannot_connect(where, f"no answer within {_CONNECT_SECONDS:g} s") from None
    except httpx.TimeoutException:
        raise Retryable(f"{where} did not answer in time", code="NoAnswer") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
        raise Fatal(f"cannot ask {where}: {error}", code="InvalidAddress") from None
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        if _wants_certificate(why):  # with TLS 1.3 it is heard only now
            raise _certificate_wanted(where, why) from None
        raise Retryable(f"the connection to {where} broke: {why}", code="NoAnswer") from None


def _cannot_connect(where: str, why: str) -> VerdazulError:
    parts = urlsplit(where)
    address = f"{parts.scheme}://{parts.netloc}"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return Fatal(
            f"the certificate of {address} is not trusted: {why}",
            code="CertificateNotTrusted",
            fix="point VERDAZUL_CA at that server's certs/ca.pem",
        )
    if _wants_certificate(why):
        return _certificate_wanted(address, why)
    return NotRunning(
        f"nothing answers at {address}: {why}",
        fix="start the server with `verdazul up`, or see `verdazul status`",
    )


def _wants_certificate(why: str) -> bool:
    """Whether the server's alert is about the caller's certificate."""
    words = why.upper().replace("_", " ")
    return "ALERT" in words and any(
        said in words for said in ("CERTIFICATE REQUIRED", "UNKNOWN CA", "CERTIFICATE UNKNOWN")
    )


def _certificate_wanted(where: str, why: str) -> UserError:
    return UserError(
        f"{where} wants to see another client certificate: {why}",
        code="ClientCertificateRefused",
        fix="set VERDAZUL_CLIENT_CERTIFICATE and VERDAZUL_CLIENT_KEY to a pair that the server's"
        " VERDAZUL_TLS_CLIENT_CA has signed",
    )


def _json(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise Fatal(
            f"{without_query(str(response.url))} answered {response.status_code} with text that "
            f"is not JSON: {excerpt(response.text)}",
            code="UnexpectedAnswer",
            fix="check that the address is Verdazul's, not another server's",
        ) from None


def _refusal(response: httpx.Response) -> VerdazulError:
    status = response.status_code
    try:
        body = response.json().get("error")
    except (ValueError, AttributeError):
        body = None
    plain = Problem(
        f"Http{status}",
        f"{response.request.method} {without_query(str(response.url))} answered {status}: "
        f"{excerpt(response.text) or response.reason_phrase}",
    )
    problem = problem_of(body, otherwise=plain)
    if status == httpx.codes.UNAUTHORIZED:
        return UserError(
            f"the server refused the token: {problem.message}",
            code=problem.code,
            fix="log in again (verdazul login); without a login, check that VERDAZUL_TOKEN_FILE, "
            "VERDAZUL_ADDRESS and --home belong together",
        )
    return _family(status).of(problem)


def _family(status: int) -> type[VerdazulError]:
    return _FAMILIES.get(status, UserError if status < httpx.codes.INTERNAL_SERVER_ERROR else Fatal)


def excerpt(text: str, *, limit: int = 500) -> str:
    """Shorten a foreign answer for an error message."""
    text = text.strip()
    return text if len(text) <= limit else text[:limit] + f" ... ({len(text)} characters)"
