"""What went wrong, in the words a person reads.

A `Problem` is the one shape every failure takes on its way to people: CLI, REST, events and
operations all show the same code, message, fix and log tail. Three families of exception carry it:

    VerdazulError
    ├── UserError      the caller must change something; say what         (HTTP 4xx)
    │   ├── Forbidden      the credential does not allow this             (403)
    │   ├── NotFound       the named thing does not exist                 (404)
    │   ├── WrongMethod    the path exists, but not for this verb         (405)
    │   ├── Conflict       another change is under way, or it exists      (409)
    │   └── PreconditionFailed   If-Match named an older generation      (412)
    ├── Retryable      nothing is wrong with the request; try again later (HTTP 503)
    └── Fatal          a bug or a broken machine; nothing was changed     (HTTP 500)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure: a stable code, what failed with its value, and what would be right."""

    code: str
    message: str
    fix: str = ""
    where: str = ""
    log_tail: tuple[str, ...] = ()
    details: tuple[Problem, ...] = field(default=())

    def to_arm(self) -> dict[str, Any]:
        """Azure Resource Manager's error object: code, message, details, additionalInfo."""
        body: dict[str, Any] = {"code": self.code, "message": self._full_message()}
        details = [detail.to_arm() for detail in self.details]
        if self.log_tail:
            details.append({"code": "LogTail", "message": "\n".join(self.log_tail)})
        if details:
            body["details"] = details
        info = {"where": self.where, "fix": self.fix, "message": self.message}
        if self.where or self.fix:
            body["additionalInfo"] = [{"type": "VerdazulProblem", "info": info}]
        return body

    @classmethod
    def from_arm(cls, body: Mapping[str, Any]) -> Problem:
        """Read back what `to_arm` wrote; foreign error objects give code and message."""
        details = body.get("details") or []
        tail = [d["message"] for d in details if d.get("code") == "LogTail"]
        info: Mapping[str, Any] = next(
            (i["info"] for i in body.get("additionalInfo") or [] if i["type"] == "VerdazulProblem"),
            {},
        )
        return cls(
            code=str(body.get("code", "Unknown")),
            message=str(info.get("message") or body.get("message", "")),
            fix=str(info.get("fix", "")),
            where=str(info.get("where", "")),
            log_tail=tuple(tail[0].split("\n")) if tail else (),
            details=tuple(cls.from_arm(d) for d in details if d.get("code") != "LogTail"),
        )

    def _full_message(self) -> str:
        where = f"{self.where}: " if self.where else ""
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{where}{self.message}{fix}"

    def __str__(self) -> str:
        return self._full_message()


class VerdazulError(Exception):
    """Any failure that people read; `problem` says it."""

    default_code = "InternalServerError"
    http_status = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fix: str = "",
        where: str = "",
        log_tail: tuple[str, ...] = (),
        details: tuple[Problem, ...] = (),
    ) -> None:
        self.problem = Problem(
            code or self.default_code, message, fix, where, tuple(log_tail), tuple(details)
        )
        super().__init__(str(self.problem))

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Raise an existing Problem."""
        return cls(
            problem.message,
            code=problem.code,
            fix=problem.fix,
            where=problem.where,
            log_tail=problem.log_tail,
            details=problem.details,
        )


class UserError(VerdazulError):
    """The caller must change something; the message says what. Do not retry unchanged."""

    default_code = "BadRequest"
    http_status = 400


class Forbidden(UserError):
    """The credential is missing, expired or for something else. Get a new one."""

    default_code = "Forbidden"
    http_status = 403


class WrongMethod(UserError):
    """The path exists, but not for this verb; the message lists those that it takes."""

    default_code = "MethodNotAllowed"
    http_status = 405


class NotFound(UserError):
    """The named thing does not exist."""

    default_code = "ResourceNotFound"
    http_status = 404


class Conflict(UserError):
    """Another change holds the resource, or it exists already. Retry after it ended."""

    default_code = "Conflict"
    http_status = 409


class PreconditionFailed(UserError):
    """If-Match named another generation than the stored one. Read again, then decide."""

    default_code = "PreconditionFailed"
    http_status = 412


class Retryable(VerdazulError):
    """Nothing is wrong with the request; the same call may succeed later."""

    default_code = "TemporarilyUnavailable"
    http_status = 503


class Fatal(VerdazulError):
    """A bug or a broken machine. Nothing was changed; retrying will not help."""
