"""What credits are held and spent for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PurposeKind(StrEnum):
    """What credits are held for."""

    RUN = "run"
    LAB = "lab"
    DASK = "dask"


@dataclass(frozen=True, kw_only=True, slots=True)
class Purpose:
    """What a hold is for, shown to the one who pays."""

    kind: PurposeKind
    reference: str
    """The holder's own id of it: of the run, the server, the cluster."""
    description: str = ""
    algorithm: str = ""
    """``owner/name`` of what runs; empty where no algorithm does."""
