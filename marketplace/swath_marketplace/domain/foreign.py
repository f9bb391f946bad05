"""What came from another Swath: versions published there first, runs made there, and the keys it signs with.

All of it is told by an archive that somebody brought. The origin's keys came in that very archive, so they prove that
one installation says all of it, and not that this installation is one to be believed: that is for whoever knows its
keys from elsewhere. Nothing here raises a level, is charged, or counts for anybody but who imported it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from swath.contract.digest import canonical_json, sha256_bytes

from swath_marketplace.domain.account_archive import ArchivedRun
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.dossiers import Dossier


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignVersion:
    """Where a version that was imported was published first."""

    algorithm_id: str
    digest: str
    origin: str
    """The installation."""
    path: str
    """``owner/name`` there."""
    version: str
    published_at: datetime
    imported_at: datetime
    imported_by: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """``assessments``, ``reviews``, ``marks``, ``prices`` of there: shown, not counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignRun:
    """A run that was made elsewhere: read-only, never charged here."""

    id: str
    """Here. Its results and events stand in the folder of that name."""
    importer: str
    origin: str
    document: ArchivedRun
    receipt: str | None
    """The receipt's file, whose signature and place in the origin's log were checked with the origin's keys."""
    imported_at: datetime


def foreign_run_id(importer: str, origin: str, run_id: str) -> str:
    """The id that a foreign run has here: the same for the same importer, so that importing again changes nothing."""
    return sha256_bytes(canonical_json({"importer": importer, "origin": origin, "run": run_id}))[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopted:
    """A version as it is to be stored, with what stands beside it."""

    version: AlgorithmVersion
    """Its ``algorithm_id`` is empty: it follows from owner and name."""
    dossiers: Sequence[Dossier]
    path: str
    published_at: datetime
    """There."""
    evidence: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """Everything that one import stores, in one transaction."""

    importer: str
    origin: str
    keys: str | None
    """The origin's published keys; ``None`` when the origin is this very installation."""
    own: bool
    """Whether it is an archive of the importer's own account here: nothing in it comes from elsewhere."""
    at: datetime
    versions: Sequence[Adopted] = ()
    runs: Sequence[ForeignRun] = ()
    sections: Mapping[str, Any] = field(default_factory=dict)
