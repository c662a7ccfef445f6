"""What a storage account, its issuer or the way there refuses, as what to change.

The library's own words are not passed on where they could hold a signature: what failed is told by
its kind, by the account's code, and by the exception that is at the bottom of it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from verdazul.model.datastore import CredentialsType, DatastoreSpec
from verdazul.model.errors import Forbidden, NotFound, Retryable, UserError, VerdazulError
from verdazul.model.show import inline

_DENIED = frozenset({401, 403})
_MISSING = 404
_REFUSED = 400
_BUSY = 500
_TOO_MANY = 429
_CLOSED = "PublicAccessNotPermitted"


@contextmanager
def in_our_words(store: DatastoreSpec, path: str) -> Iterator[None]:
    """Raise what the library raises as a VerdazulError that names the account and the cure."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from requests import RequestException

    try:
        yield
    except HttpResponseError as error:
        if isinstance(error, ClientAuthenticationError) and not _is_of(store, error.response):
            raise _issuer_refused(store, str(error.message)) from None
        if not error.status_code or error.status_code < _REFUSED:  # it broke off on the way
            raise _unreachable(store, error) from None
        raise _answered(store, path, error) from None
    except AzureError as error:
        raise _unreachable(store, error) from None
    except RequestException as error:  # an address that the library cannot even ask
        raise _unreachable(store, error) from None
    except ValueError as error:  # what the library says to a tenant or certificate that is none
        raise unusable(store, f"cannot be used: {inline(str(error))}") from None


def unusable(store: DatastoreSpec, why: str) -> UserError:
    """A credential that cannot even be tried."""
    return UserError(
        f"the credential of datastore {store.name!r} {why}",
        code="DatastoreForbidden",
        fix=_newer(store),
    )


def _newer(store: DatastoreSpec) -> str:
    return f"give it another: verdazul datastore update -n {store.name} --set credentials..."


def _is_of(store: DatastoreSpec, response: Any) -> bool:
    """Whether the account has answered, not who gives tokens for it."""
    return response is not None and str(response.request.url).startswith(store.url)


def _answered(store: DatastoreSpec, path: str, error: Any) -> VerdazulError:
    response = error.response
    status = response.status_code if response is not None else 0
    code = str(response.headers.get("x-ms-error-code") or "") if response is not None else ""
    code = code or str(getattr(error, "error_code", None) or "")
    where = f"{store.url}/{store.container} (datastore {store.name!r})"
    if status in _DENIED or code == _CLOSED:
        return _denied(store, where, code or str(status))
    if status == _MISSING:
        return _missing(store, path, where, code)
    if status >= _BUSY or status == _TOO_MANY:
        return Retryable(f"{where} answered {status} {inline(code)}; try again later")
    return UserError(f"{where} answered {status} {inline(code)}", code="DatastoreFailed")


def _denied(store: DatastoreSpec, where: str, code: str) -> Forbidden:
    kind = store.credentials.type
    fix = f"it has to permit reading and listing the container; {_newer(store)}"
    if kind is CredentialsType.NONE:
        fix = (
            "give the identity of this server the role Storage Blob Data Reader there, or "
            f"{_newer(store)}"
        )
    return Forbidden(
        f"{where} refused the credential of type {kind.value}: {inline(code)}",
        code="DatastoreForbidden",
        fix=fix,
    )


def _missing(store: DatastoreSpec, path: str, where: str, code: str) -> NotFound:
    if path and code in {"BlobNotFound", "PathNotFound"}:
        return NotFound(f"nothing is at {path!r} of {where}", code="BlobNotFound")
    return NotFound(
        f"there is no container {store.container} at {where}: {inline(code) or _MISSING}",
        code="ContainerNotFound",
        fix="check account_name and container_name; a datastore with others is a new one",
    )


def _issuer_refused(store: DatastoreSpec, message: str) -> Forbidden:
    """It was not the account that said no, but who gives tokens for it."""
    first = message.strip().partition("\n")[0]
    return Forbidden(
        f"no token for {store.url} (datastore {store.name!r}): {inline(first)}",
        code="DatastoreForbidden",
        fix=f"check tenant_id, client_id and secret; {_newer(store)}",
    )


def _unreachable(store: DatastoreSpec, error: BaseException) -> VerdazulError:
    where = f"{store.url} (datastore {store.name!r})"
    chain = list(_beneath(error))
    if any(isinstance(each, socket.gaierror) for each in chain) or _is(chain, "NameResolution"):
        return UserError(
            f"the name of {where} leads nowhere",
            code="DatastoreUnreachable",
            fix=f"check account_name ({store.account_name}), endpoint ({store.host}) and this "
            "machine's DNS",
        )
    if any(isinstance(each, ssl.SSLError) for each in chain) or _is(chain, "SSLError"):
        return UserError(
            f"the certificate of {where} is not trusted",
            code="DatastoreUnreachable",
            fix="start Verdazul with REQUESTS_CA_BUNDLE naming the authorities to trust",
        )
    if _is(chain, "NewConnection") or any(isinstance(e, ConnectionRefusedError) for e in chain):
        return UserError(
            f"nothing answers at {where}",
            code="DatastoreUnreachable",
            fix="check account_name, endpoint and protocol, and what may leave this machine",
        )
    return Retryable(f"{where} did not answer in time, or broke off", code="DatastoreUnreachable")


def _is(chain: list[BaseException], name: str) -> bool:
    return any(name in type(each).__name__ for each in chain)


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it is made of, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None))
        more = (*inner, getattr(one, "inner_exception", None), *one.args)
        waiting += [each for each in more if isinstance(each, BaseException)]
