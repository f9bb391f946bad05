"""Acts of moderation: an algorithm is hidden or shown again, a version is revoked. Each is appended to a log."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from swath.contract.semver import Version, VersionRange

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.catalogue import newest_first
from swath_marketplace.domain.errors import VersionRevoked
from swath_marketplace.domain.runs import ErrorInfo

#: The code of a run that ended because its version was revoked.
REVOKED = "version-revoked"
#: Whoever called a version within so long is told that it was revoked.
CALLED_WITHIN = timedelta(days=90)


class ActKind(StrEnum):
    """What was done."""

    HIDE = "hide"
    UNHIDE = "unhide"
    REVOKE = "revoke"
    WITHHOLD = "withhold"
    """A review's words are shown to nobody any more, and it counts no more."""
    UPHOLD = "uphold"
    """A report was found to be right."""
    DISMISS = "dismiss"
    """A report was found not to be."""


class Running(StrEnum):
    """What becomes of the runs of a revoked version that have started already."""

    STOP = "stop"
    """They are stopped, and nothing is charged."""
    FINISH = "finish"
    """They go on to their end, and are paid for as usual."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One act. Appended, never changed."""

    sequence: int
    """Its number in the log, from 1; 0 before it is stored."""
    kind: ActKind
    algorithm_id: str
    owner: str
    name: str
    version: str | None = None
    digest: str | None = None
    review: int | None = None
    """Number of the review, when it is of one."""
    reason: str
    by: str
    at: datetime
    report_id: str | None = None
    """The report that it answers."""

    @property
    def path(self) -> str:
        """``owner/name``, with the version when it was of one."""
        return f"{self.owner}/{self.name}" + (f"@{self.version}" if self.version else "")


def act_on(
    kind: ActKind,
    version: AlgorithmVersion,
    *,
    reason: str,
    by: str,
    at: datetime,
    report_id: str | None = None,
    review: int | None = None,
) -> Act:
    """An act on one version."""
    return Act(
        sequence=0,
        kind=kind,
        algorithm_id=version.algorithm_id,
        owner=version.owner,
        name=version.name,
        version=version.version,
        digest=version.digest,
        review=review,
        reason=reason,
        by=by,
        at=at,
        report_id=report_id,
    )


def next_good(version: AlgorithmVersion, versions: Sequence[AlgorithmVersion]) -> AlgorithmVersion | None:
    """What callers of `version` may call instead: the highest offered one that ``^version`` admits, else the highest.

    A pre-release is nobody's replacement, unless there is nothing else.
    """
    offered = [one for one in newest_first(versions) if one.yanked_at is None and one.version != version.version]
    released = [one for one in offered if not Version.parse(one.version).prerelease] or offered
    alike = VersionRange.parse(f"^{version.version}")
    return next((one for one in released if Version.parse(one.version) in alike), next(iter(released), None))


def mend_of(version: AlgorithmVersion, versions: Sequence[AlgorithmVersion]) -> str:
    """What a caller of the revoked `version` can do."""
    other = next_good(version, versions)
    if other is None:
        return "its author offers no other version; ask them, or search for another algorithm"
    return f"call {other.version}, as {other.path}@{other.version}"


def revoked_error(version: AlgorithmVersion, versions: Sequence[AlgorithmVersion]) -> VersionRevoked:
    """That `version` does not run any more, and what does."""
    other = next_good(version, versions)
    return VersionRevoked(
        code=REVOKED,
        message=f"{version.path} {version.version} was revoked: {version.revoked_reason}",
        mend=mend_of(version, versions),
        extra={
            "revoked_reason": version.revoked_reason,
            "revoked_at": version.revoked_at.isoformat() if version.revoked_at else None,
            "next_version": other.version if other else None,
        },
    )


def stopped_for(version: AlgorithmVersion, *, reason: str, versions: Sequence[AlgorithmVersion]) -> ErrorInfo:
    """Why a run of `version` ends that did not ask for its end."""
    told = f"{version.path} {version.version} was revoked: {reason}; nothing is charged; {mend_of(version, versions)}"
    return ErrorInfo(code=REVOKED, message=told)


def notice_of(act: Act, user: str, *, kind: NoticeKind, text: str, link: str) -> Notice:
    """A notice of `act` to `user`; the same act tells them the same thing once."""
    known = hashlib.sha256(f"act:{act.sequence}:{user}:{kind}".encode()).hexdigest()
    return Notice(id=known[:32], user=user, kind=kind, text=text, link=link, at=act.at)
