"""What is wrong with a notebook, told so that its author can mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
        self._all: list[Finding] = []

    def error(self, code: str, message: str, mend: str, *, cell: int | None = None, line: int | None = None) -> None:
        """Something that keeps the notebook from being published."""
        self._add(Finding(code=code, severity=Severity.ERROR, message=message, mend=mend, cell=cell, line=line))

    def warning(self, code: str, message: str, mend: str, *, cell: int | None = None, line: int | None = None) -> None:
        """Something the author should know and may leave."""
        self._add(Finding(code=code, severity=Severity.WARNING, message=message, mend=mend, cell=cell, line=line))

    def _add(self, finding: Finding) -> None:
        if finding not in self._all:
            self._all.append(finding)

    @property
    def has_error(self) -> bool:
        """Whether anything so far keeps the notebook from being published."""
        return any(finding.severity is Severity.ERROR for finding in self._all)

    def sorted(self) -> tuple[Finding, ...]:
        """The whole notebook's first, then cell by cell, line by line."""
        return tuple(
            sorted(
                self._all,
                key=lambda found: (
                    -1 if found.cell is None else found.cell,
                    found.line or 0,
                    found.severity,
                    found.code,
                ),
            )
        )
