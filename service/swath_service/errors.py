"""Errors that a caller is told. They know no HTTP; each service's ``api/errors.py`` maps a type to its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class SwathError(Exception):
    """Something a caller did or met that has a name and a mend.

    Parameters
    ----------
    code
        Stable, kebab-case, for programs to branch on.
    message
        One sentence for a person. Never holds a token, a password or a path of the server.
    mend
        What the caller can do about it; empty when nothing can be done.
    findings
        Every single thing that is wrong, each a mapping with at least ``field`` or ``cell``, ``message`` and ``mend``.
    extra
        Further members of the problem document, JSON values.
    headers
        Of the answer over HTTP, beside its body: ``Retry-After``.
    """

    def __init__(
        self,
        *,
        code: str,
        message: str,
        mend: str = "",
        findings: Sequence[Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.mend = mend
        self.findings = tuple(dict(finding) for finding in findings)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class Unauthenticated(SwathError):
    """No token, or one that JupyterHub does not know."""


class Forbidden(SwathError):
    """The caller is known and may not do this."""


class NotFound(SwathError):
    """There is no such thing, or the caller may not know that there is."""


class Conflict(SwathError):
    """The request contradicts what is stored."""


class Gone(SwathError):
    """It was there, and is not kept any more."""


class Invalid(SwathError):
    """The request is understood and wrong; `findings` names every fault at once."""


class TooLarge(SwathError):
    """The request's body is over the limit."""


class Refused(SwathError):
    """A quota or a wallet says no."""


class Unavailable(SwathError):
    """Another service that is needed does not answer; nothing was done and the same request may be sent again."""


#: Status of every family above; a service extends this table with its own types.
STATUSES: dict[type[SwathError], int] = {
    Unauthenticated: 401,
    Refused: 402,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    Invalid: 422,
    Unavailable: 503,
}
