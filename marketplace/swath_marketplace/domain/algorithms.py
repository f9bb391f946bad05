"""An algorithm and its versions. A version never changes; it can only be yanked or revoked, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What one run of a version is given, and what its price is bound by."""

    cpus: float = 1.0
    """Processor cores."""
    memory_mb: int = 2048
    """Memory in MB of 1,048,576 bytes; a run that takes more ends with ``memory-limit``."""
    wall_seconds: int = 900
    """Time from start to end; a run that takes longer ends with ``time-limit``."""
    dask: bool = False
    """Whether the run may reach a Dask cluster, and with it the network."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "cpus": self.cpus,
            "memory_mb": self.memory_mb,
            "wall_seconds": self.wall_seconds,
            "dask": self.dask,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Resources:
        """The resources that `as_dict` wrote."""
        return cls(
            cpus=float(data["cpus"]),
            memory_mb=int(data["memory_mb"]),
            wall_seconds=int(data["wall_seconds"]),
            dask=bool(data["dask"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """A locked Python environment that runs take place in."""

    name: str
    """Slug, as notebooks name it in their metadata."""
    title: str
    lock_sha256: str
    """Hexadecimal sha256 of the lock file: part of every version's digest."""
    python: str
    """Absolute path of the environment's interpreter on this machine."""
    editable: bool = False
    """Whether packages of it are installed in place, outside its folder: a developer's environment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmVersion:
    """One published notebook, with the interface and environment it was published with."""

    algorithm_id: str
    owner: str
    name: str
    version: str
    """Semantic version, unique within the algorithm."""
    digest: str
    """``sha256:<hex>`` over notebook, interface and environment lock."""
    notebook_sha256: str
    """Hexadecimal address of the notebook in the artifact store."""
    interface: Mapping[str, Any]
    """JSON form of `swath.contract`'s ``Interface``."""
    metadata: Mapping[str, Any]
    """JSON form of the notebook's ``swath`` metadata: title, summary, licence, keywords, references."""
    environment: str
    environment_lock_sha256: str
    resources: Resources
    published_at: datetime
    yanked_at: datetime | None = None
    yank_reason: str | None = None
    revoked_at: datetime | None = None
    """Since when it does not run any more. What is revoked is yanked, too."""
    revoked_reason: str | None = None

    @property
    def path(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithm:
    """What an author offers under one name; its words are those of the latest version."""

    id: str
    owner: str
    name: str
    title: str
    summary: str
    keywords: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    latest: AlgorithmVersion | None = None
    """Highest version that is not yanked."""
    versions: tuple[AlgorithmVersion, ...] = field(default=())
    """Every version, newest first; empty in a list of algorithms."""
    runs_count: int = 0
    """Runs of all callers, where it was asked for. Their parameters stay theirs."""
    hidden_at: datetime | None = None
    """Since when an operator has it hidden from all but its author."""
    hidden_reason: str | None = None
