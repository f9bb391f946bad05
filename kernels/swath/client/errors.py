"""What can go wrong when Swath is called, told with a name, a reason and a mend.

The server's problem documents (RFC 9457) become these; so do connections that fail and credentials that are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from swath.display import clean


class SwathError(Exception):
    """Anything that Swath says no to.

    Parameters
    ----------
    code
        Stable, kebab-case, for programs to branch on.
    message
        One sentence for a person. Never holds a token.
    mend
        What can be done about it; empty when nothing can.
    findings
        Every single fault, each with ``field`` or ``cell`` and ``line``, ``message`` and ``mend``.
    id
        Under which the server's operator finds it in the log.
    status
        HTTP status, where there was one.
    extra
        Further members of the problem document.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "error",
        mend: str = "",
        findings: Iterable[Mapping[str, Any]] = (),
        id: str = "",
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.mend = mend
        self.findings = tuple(dict(finding) for finding in findings)
        self.id = id
        self.status = status
        self.extra = dict(extra or {})

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  - {finding_line(finding)}" for finding in self.findings]
        if self.mend:
            lines.append(f"What to do: {self.mend}")
        if self.id and (self.status or 0) >= 500:
            lines.append(f"Tell the operator this id: {self.id}")
        return clean("\n".join(lines))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the caller's mistake is not in our code."""
        return [f"{type(self).__name__} ({self.code}): {self}"]

    def as_dict(self) -> dict[str, Any]:
        """The error as a JSON object; empty members are left out."""
        members = {
            "code": self.code,
            "message": self.message,
            "mend": self.mend,
            "findings": list(self.findings),
            "id": self.id,
            "status": self.status,
            **self.extra,
        }
        return {name: value for name, value in members.items() if value not in (None, "", [])}


class NotSignedIn(SwathError):
    """No token, or one that the hub does not know (any more)."""


class Forbidden(SwathError):
    """The token is known and does not allow this."""


class Refused(SwathError):
    """A quota, a rate limit or the wallet says no."""


class NotFound(SwathError):
    """There is no such thing, or it is somebody else's."""


class Conflict(SwathError):
    """The request contradicts what is stored."""


class Invalid(SwathError):
    """The request is wrong; `findings` names every fault."""


class Unreachable(SwathError):
    """The server does not answer, or what answers is not Swath."""


class ServerFault(SwathError):
    """Something went wrong on the server's side; the operator finds it under `id`."""


class ResultBroken(SwathError):
    """The bytes that arrived are not those that the run recorded."""


class MissingPackage(SwathError, ImportError):
    """A Python package that this one call needs is not installed."""


class WaitTimeout(SwathError, TimeoutError):
    """The time given to `Run.wait` is over; the run goes on."""


class RunFailed(SwathError):
    """A run ended as ``error``.

    Attributes
    ----------
    run_id, cell, traceback
        Which run, the 0-based cell of the notebook that failed (or ``None``) and the notebook's own traceback.
    """

    def __init__(
        self, message: str, *, run_id: str, cell: int | None, traceback: str, code: str, mend: str = ""
    ) -> None:
        super().__init__(message, code=code, mend=mend, extra={"run_id": run_id, "cell": cell, "traceback": traceback})
        self.run_id = run_id
        self.cell = cell
        self.traceback = traceback

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n\n{clean(self.traceback, colors=False).rstrip()}" if self.traceback else text


class RunCanceled(SwathError):
    """A run that was waited for has been canceled."""


#: Family of each HTTP status; anything else from 500 up is a `ServerFault`, from 400 up `Invalid`.
FAMILIES: dict[int, type[SwathError]] = {
    400: Invalid,
    401: NotSignedIn,
    402: Refused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: Invalid,
    422: Invalid,
    429: Refused,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}
_KNOWN = {"type", "title", "status", "detail", "code", "id", "mend", "findings"}


def from_problem(status: int, problem: Mapping[str, Any]) -> SwathError:
    """The error that a problem document tells of."""
    family = FAMILIES.get(status, ServerFault if status >= 500 else Invalid)
    found = problem.get("findings")
    return family(
        str(problem.get("detail") or problem.get("title") or f"the server answered {status}"),
        code=str(problem.get("code") or f"http-{status}"),
        mend=str(problem.get("mend") or ""),
        findings=[dict(one) for one in found if isinstance(one, Mapping)] if isinstance(found, list) else (),
        id=str(problem.get("id") or ""),
        status=status,
        extra={name: value for name, value in problem.items() if name not in _KNOWN},
    )


def finding_line(finding: Mapping[str, Any]) -> str:
    """One fault as one line: where, what, mend."""
    where = finding_place(finding)
    text = str(finding.get("message") or finding.get("code") or "wrong")
    mend = finding.get("mend")
    return f"{where + ': ' if where else ''}{text}{f' ({mend})' if mend else ''}"


def finding_place(finding: Mapping[str, Any]) -> str:
    """Where a fault is: a parameter's name, or cell and line (cells counted from 1, as a reader counts)."""
    if finding.get("field"):
        return str(finding["field"])
    cell, line = finding.get("cell"), finding.get("line")
    if not isinstance(cell, int):
        return ""
    return f"cell {cell + 1}" + (f", line {line}" if isinstance(line, int) else "")
