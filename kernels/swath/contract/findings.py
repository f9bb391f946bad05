"""What is wrong with a notebook, told so that its author can mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Beyond this many, findings are counted and not listed: the answer to a hostile notebook stays small.
MAX_FINDINGS = 500


class Severity(StrEnum):
    """Whether a finding keeps a notebook from being published."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong, where, and what to do about it."""

    code: str
    """Stable, kebab-case."""
    severity: Severity
    message: str
    """One sentence; never holds what looks like a secret."""
    mend: str
    cell: int | None = None
    """0-based position in the notebook's ``cells``; ``None`` for the notebook as a whole."""
    line: int | None = None
    """1-based line in that cell's source."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members; absent places are null."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "mend": self.mend,
            "cell": self.cell,
            "line": self.line,
        }


class Findings:
    """Gathers findings while a notebook is read; nothing stops at the first."""

    def __init__(self) -> None:
        # A dict keeps the order and drops what was found twice.
        self._all: dict[Finding, None] = {}
        self._left = 0
        self._left_error = False

    def error(self, code: str, message: str, mend: str, *, cell: int | None = None, line: int | None = None) -> None:
        """Something that keeps the notebook from being published."""
        self._add(Finding(code=code, severity=Severity.ERROR, message=message, mend=mend, cell=cell, line=line))

    def warning(self, code: str, message: str, mend: str, *, cell: int | None = None, line: int | None = None) -> None:
        """Something the author should know and may leave."""
        self._add(Finding(code=code, severity=Severity.WARNING, message=message, mend=mend, cell=cell, line=line))

    def _add(self, finding: Finding) -> None:
        if len(self._all) < MAX_FINDINGS:
            self._all[finding] = None
        elif finding not in self._all:
            self._left += 1
            self._left_error |= finding.severity is Severity.ERROR

    @property
    def has_error(self) -> bool:
        """Whether anything so far keeps the notebook from being published."""
        return self._left_error or any(finding.severity is Severity.ERROR for finding in self._all)

    def sorted(self) -> tuple[Finding, ...]:
        """The whole notebook's first, then cell by cell, line by line; what was left out is counted at the end."""
        told = sorted(
            self._all, key=lambda one: (-1 if one.cell is None else one.cell, one.line or 0, one.severity, one.code)
        )
        if self._left:
            more = Finding(
                code="more-findings",
                severity=Severity.ERROR if self._left_error else Severity.WARNING,
                message=f"{self._left} more findings are not listed",
                mend="mend these first",
            )
            told.append(more)
        return tuple(told)
