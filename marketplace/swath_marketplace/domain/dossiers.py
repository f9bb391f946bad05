"""What an author puts beside a version: its card, its scenarios and their references. The version itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.scenarios import Scenario


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """One state of the files beside a version. Appended, never changed; the latest counts."""

    algorithm_id: str
    version_digest: str
    """``sha256:<hex>`` of the version that it is about."""
    sequence: int
    """Number of the dossier within its version, from 1."""
    digest: str
    """``sha256:<hex>`` over the paths and contents of all files; what an assessment was made of."""
    files: Mapping[str, str]
    """Path below the algorithm's folder -> hexadecimal address in the artifact store. ``README.md`` is the card."""
    scenarios: tuple[Scenario, ...]
    put_by: str
    put_at: datetime


def dossier_digest(files: Mapping[str, str]) -> str:
    """What makes two dossiers the same: ``sha256:<hex>`` over the paths and the sha256 of each file."""
    return f"sha256:{sha256_bytes(canonical_json({'format': 'swath-dossier-1', 'files': dict(files)}))}"
