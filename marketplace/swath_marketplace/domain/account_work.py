"""Long work on a whole account: an export that is made, an import that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class WorkKind(StrEnum):
    """What is done."""

    EXPORT = "export"
    IMPORT = "import"


class WorkStage(StrEnum):
    """How far it has come."""

    ASKED = "asked"
    WORKING = "working"
    DONE = "done"
    REFUSED = "refused"
    """An archive that cannot be imported; `AccountWork.findings` say all that is wrong. Nothing was kept."""
    FAILED = "failed"
    """The platform could not, again and again; `AccountWork.message` says why."""
    EXPIRED = "expired"
    """An export whose file is not kept any more."""

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self in (WorkStage.ASKED, WorkStage.WORKING)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountWork:
    """One export or import, for one user."""

    id: str
    kind: WorkKind
    owner: str
    asked_at: datetime
    stage: WorkStage = WorkStage.ASKED
    doing: str = ""
    """In words: which part it is at."""
    fraction: float = 0.0
    """Progress in 0..1."""
    archive_sha256: str | None = None
    archive_bytes: int | None = None
    findings: Sequence[Mapping[str, Any]] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    """What was put into the archive, or came of it."""
    message: str = ""
    """One sentence, once it is over."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    """Until when an export's file is kept."""

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.stage.open


def ended(work: AccountWork, stage: WorkStage, *, message: str, at: datetime, **more: Any) -> AccountWork:
    """`work`, over.

    Raises
    ------
    ValueError
        It was over before, or `stage` is no end.
    """
    if not work.open or stage.open:
        raise ValueError(f"{work.kind.value} {work.id} does not go from {work.stage.value} to {stage.value}")
    fraction = 1.0 if stage is WorkStage.DONE else work.fraction
    return replace(work, stage=stage, message=message, ended_at=at, doing="", fraction=fraction, **more)


def expired(work: AccountWork) -> AccountWork:
    """An export whose file was removed."""
    if work.kind is not WorkKind.EXPORT or work.stage is not WorkStage.DONE:
        raise ValueError(f"{work.kind.value} {work.id} has no file that could be removed")
    return replace(work, stage=WorkStage.EXPIRED)
