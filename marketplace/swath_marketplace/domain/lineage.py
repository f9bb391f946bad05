"""Where results come from: which run made which bytes, and which run read them. Bytes are known by their sha256."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath_marketplace.domain.runs import Run

_SHA256 = re.compile(r"[0-9a-f]{64}")

#: Bounds of one walk. What lies beyond is said to be cut off, never left out silently.
MOST_RUNS = 2_000
MOST_FLOWS = 20_000
MOST_NODES = 5_000
DEEPEST = 2_000


class Direction(StrEnum):
    """Which way a walk goes."""

    UP = "up"
    """From a result to what it was made of."""
    DOWN = "down"
    """From a file to what was made of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A run read a file."""

    run_id: str
    position: int
    """Within the run's inputs, from 0."""
    sha256: str | None
    """``None`` when nobody knows what was read: then it leads nowhere."""
    collection: str | None = None
    item: str | None = None
    asset: str | None = None
    path: str | None = None
    """Below the archive; where that is not known, the address that the run gave."""
    observed: bool = False
    """Whether the reading was seen from outside the run; otherwise only the run said so."""
    used_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Make:
    """A run made a file."""

    run_id: str
    name: str
    """Of the output."""
    sha256: str
    bytes: int
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A file that a run read, and the run that made it, if one did."""

    use: Use
    maker: str | None = None
    """Id of the run; ``None``: it is a source."""
    output: str | None = None
    """The maker's name for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What of a run a lineage tells."""

    id: str
    algorithm: str
    """``owner/name``."""
    version: str
    digest: str
    caller: str
    status: str
    parameters: Mapping[str, Any]
    started_at: datetime | None
    ended_at: datetime | None
    revoked_at: datetime | None = None
    """When the version that it ran was revoked, before or after it ran."""
    revoked_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trail:
    """What a walk through the tables found: runs, the nearest first, and the files that went between them."""

    runs: Mapping[str, RunFacts]
    flows: Sequence[Flow]
    cut_off: bool = False
    """Whether there is more than a walk brings."""


class NodeKind(StrEnum):
    """What stands in a lineage."""

    RUN = "run"
    SCENE = "scene"
    """An item of the archive that no run made."""
    FILE = "file"
    """Bytes that are known by their sha256 or their path alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A run, a scene or a file. Of a run that is not the asker's, `run` is ``None``."""

    id: str
    """Unique in this answer alone."""
    kind: NodeKind
    depth: int
    """Runs between it and where the walk began."""
    algorithm: str | None = None
    version: str | None = None
    digest: str | None = None
    """Of the version."""
    run: RunFacts | None = None
    revoked_at: datetime | None = None
    """Since when the version is revoked; what it made before is what it was."""
    revoked_reason: str | None = None
    collection: str | None = None
    item: str | None = None
    sha256: str | None = None
    path: str | None = None
    cut: bool = False
    """Whether more lies behind it that this answer does not tell."""

    @property
    def title(self) -> str:
        """A few words for a tree or a picture."""
        if self.kind is NodeKind.RUN:
            return f"{self.algorithm} {self.version}"
        if self.kind is NodeKind.SCENE:
            return f"{self.collection}/{self.item}"
        return self.path or (f"sha256:{self.sha256[:12]}" if self.sha256 else "an unknown file")


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A file that went along an edge."""

    sha256: str | None
    output: str | None = None
    """The name under which a run made it."""
    asset: str | None = None
    """The name under which the archive has it."""
    observed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """Data went from `source` to `target`, both ids of nodes."""

    source: str
    target: str
    files: tuple[Carried, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """An answer: a graph that begins at `root`."""

    root: str
    direction: Direction
    nodes: tuple[Node, ...]
    """The root first, then the nearest."""
    edges: tuple[Edge, ...] = field(default=())
    """In the direction of the data."""
    cut_off: bool = False
    """Whether any node is cut."""
    hidden_runs: int = 0
    """Runs of others that were found and stand in no chain of the asker's."""


def uses_of(run: Run) -> tuple[Use, ...]:
    """What an ended run read, each file once; made from `Run.inputs`."""
    at, seen = run.started_at or run.created_at, set()
    found: list[Use] = []
    for said in run.inputs:
        values = {name: _text(said.get(name)) for name in ("sha256", "collection", "item", "asset", "path", "href")}
        sha256 = values["sha256"] if _SHA256.fullmatch(values["sha256"] or "") else None
        key = (sha256, *(values[name] for name in ("collection", "item", "asset", "path", "href")))
        if key in seen:
            continue
        seen.add(key)
        found.append(
            Use(
                run_id=run.id,
                position=len(found),
                sha256=sha256,
                collection=values["collection"],
                item=values["item"],
                asset=values["asset"],
                path=values["path"] or values["href"],
                observed=said.get("observed") == "served",
                used_at=at,
            )
        )
    return tuple(found)


def makes_of(run: Run) -> tuple[Make, ...]:
    """What an ended run made; made from `Run.outputs`."""
    at = run.ended_at or run.created_at
    return tuple(
        Make(run_id=run.id, name=one.name, sha256=one.sha256, bytes=one.bytes, made_at=at) for one in run.outputs
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
