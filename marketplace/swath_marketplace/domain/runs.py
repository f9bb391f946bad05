"""A run: what was asked, what is wanted of it, what has been observed of it, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath_marketplace.domain.added_value import AddedValue
from swath_marketplace.domain.algorithms import Resources


class RunStatus(StrEnum):
    """What a caller is told; the words are openEO's."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELED = "canceled"
    FINISHED = "finished"
    ERROR = "error"

    @property
    def terminal(self) -> bool:
        """Whether a run of this status changes no more."""
        return self in (RunStatus.CANCELED, RunStatus.FINISHED, RunStatus.ERROR)


class Stage(StrEnum):
    """How far the reconciler has brought a run: the observed state."""

    CREATED = "created"
    """Committed; nothing is held yet."""
    HELD = "held"
    """Its price is held; it waits for a slot."""
    STARTING = "starting"
    """It has a slot; its process is being started, or was and the handle is not saved yet."""
    RUNNING = "running"
    """Its process was started; every handle is saved."""
    COLLECTING = "collecting"
    """Its process is over; what it left is being read."""
    SETTLING = "settling"
    """How it ended is decided and saved; the hold is yet to be settled."""
    TERMINAL = "terminal"
    """Refused or settled. Nothing changes any more."""


#: Stages in which a run takes a slot of the machine.
ACTIVE_STAGES = (Stage.STARTING, Stage.RUNNING, Stage.COLLECTING)


class Desired(StrEnum):
    """What its caller wants of a run."""

    FINISHED = "finished"
    CANCELED = "canceled"


class RunPurpose(StrEnum):
    """What a run is made for."""

    CALL = "call"
    """Somebody wants its results."""
    BENCHMARK = "benchmark"
    """The platform looks whether the version does what its scenarios say, and pays."""
    REPRODUCTION = "reproduction"
    """Somebody looks whether an earlier run brings the same back."""


#: The caller of benchmarks: no user, with a wallet and a tier of its own.
PLATFORM = "platform"


class SettlementKind(StrEnum):
    """What became of a run's hold."""

    REFUSED = "refused"
    """There was none."""
    CAPTURED = "captured"
    RELEASED = "released"


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorInfo:
    """Why a run did not finish."""

    code: str
    message: str
    cell: int | None = None
    """0-based index of the cell in the notebook."""
    traceback: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"code": self.code, "message": self.message, "cell": self.cell, "traceback": self.traceback}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorInfo:
        """The error that `as_dict` wrote."""
        return cls(code=data["code"], message=data["message"], cell=data.get("cell"), traceback=data.get("traceback"))


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalInfo:
    """Why the wallet would not hold a run's price."""

    code: str
    message: str
    retry_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"code": self.code, "message": self.message, "retry_at": self.retry_at}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFile:
    """One output, as found, measured and hashed from outside the sandbox."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "description": self.description,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a run took, measured outside the sandbox."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    memory_mb: int = 0
    """Memory reserved, which is what is paid for."""
    peak_memory_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "cpu_seconds": round(self.cpu_seconds, 3),
            "wall_seconds": round(self.wall_seconds, 3),
            "memory_mb": self.memory_mb,
            "peak_memory_bytes": self.peak_memory_bytes,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a run was foretold to cost, in millicredits, and to take."""

    quote_id: str
    p50: int
    p95: int
    upper: int
    hold: int
    ceiling: int
    p50_seconds: float
    p95_seconds: float
    basis: str
    """``history``, ``benchmark`` or ``cold-start``."""
    observations: int
    explanation: str
    price_version: str
    valid_until: str
    """ISO time."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A running run was asked to save what it has, because what is held for it will not last."""

    code: str
    """``budget-reached`` or ``credits-exhausted``: what the run ends with, unless it finishes in time."""
    message: str
    asked_at: datetime
    stop_after_seconds: float
    """It is stopped when it has run for so long, on a clock that knows no steps."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "code": self.code,
            "message": self.message,
            "asked_at": self.asked_at.isoformat(),
            "stop_after_seconds": round(self.stop_after_seconds, 3),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint that `as_dict` wrote."""
        return cls(
            code=data["code"],
            message=data["message"],
            asked_at=datetime.fromisoformat(data["asked_at"]),
            stop_after_seconds=float(data["stop_after_seconds"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One call of one version, by one caller."""

    id: str
    algorithm_id: str
    owner: str
    name: str
    version: str
    digest: str
    caller: str
    parameters: Mapping[str, Any]
    """Bound and checked: every parameter of the interface, defaults filled in."""
    resources: Resources
    quote_millicredits: int
    """What is held for it: the most that it can cost, as things stand. A hold that is extended raises it."""
    created_at: datetime
    stage: Stage = Stage.CREATED
    desired: Desired = Desired.FINISHED
    stopped_for: ErrorInfo | None = None
    """Why its end is wanted by others than its caller; it is what the run ends with, and nothing is charged."""
    outcome: RunStatus | None = None
    """How it ended; set on leaving `Stage.COLLECTING`, or earlier when it never started."""
    settlement: SettlementKind | None = None
    """Set with `Stage.TERMINAL`, and only then."""
    handles: Mapping[str, Any] = field(default_factory=dict)
    """What the executor gave to be saved, so that the process is found again."""
    error: ErrorInfo | None = None
    refusal: RefusalInfo | None = None
    platform_fault: bool = False
    """Whether the platform is to blame: then nothing is charged."""
    progress: float = 0.0
    usage: Usage | None = None
    cost_millicredits: int | None = None
    """What the settlement took, at most the quote; known once it is settled or refused."""
    outputs: tuple[OutputFile, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    """What the run read of the archive: as it was served, and as the run itself reported."""
    observation: Mapping[str, Any] | None = None
    """How its inputs were observed; known once it was collected, ``None`` for a run from before they were."""
    environment: Mapping[str, Any] | None = None
    """What was installed when it started: ``name``, ``lock_sha256``, ``inventory_sha256`` and ``python``, the latter
    two ``None`` where nobody could look; ``changed`` when that was another thing at its end."""
    checkpoint: Checkpoint | None = None
    """Set while it runs, once, when it is asked to save what it has."""
    queued_at: datetime | None = None
    admitted_at: datetime | None = None
    """When it got its slot, on the queue's clock, which never goes back."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimate: Estimate | None = None
    """What the quota service foretold; ``None`` when it did not answer."""
    features: Mapping[str, float] = field(default_factory=dict)
    """What the estimate stands on, and what the next ones learn from."""
    added_value: AddedValue | None = None
    """What its author gets on top of the resources; ``None`` when nothing is asked."""
    budget_millicredits: int | None = None
    """The most that its caller lets it cost."""
    ceiling_millicredits: int | None = None
    """The most that its version's limits let it cost; ``None`` for a run from before there were quotes."""
    purpose: RunPurpose = RunPurpose.CALL
    kept_until: datetime | None = None
    """Until when its files are kept; ``None`` until that was found out, soon after its end."""
    results_expired_at: datetime | None = None
    """Since when they are gone."""
    generation: int = 0
    """Fencing token: a writer that has lost the lease finds another number here and writes nothing."""

    @property
    def terminal(self) -> bool:
        """Whether nothing changes any more."""
        return self.stage is Stage.TERMINAL

    @property
    def hold_id(self) -> str:
        """Name of this run's hold: one run, one name, so that a retry can never hold twice."""
        return f"run-{self.id}"

    @property
    def status(self) -> RunStatus:
        """What a caller is told, derived from what is observed.

        A run that is being settled still has the status it had: nobody is told an end before it is paid.
        """
        if self.stage is Stage.TERMINAL:
            if self.outcome is None:
                raise ValueError("a terminal run has an outcome")
            return self.outcome
        if self.stage in _BEFORE_START:
            return _BEFORE_START[self.stage]
        if self.started_at is not None:
            return RunStatus.RUNNING
        return RunStatus.QUEUED if self.queued_at is not None else RunStatus.CREATED


_BEFORE_START = {
    Stage.CREATED: RunStatus.CREATED,
    Stage.HELD: RunStatus.QUEUED,
    Stage.STARTING: RunStatus.QUEUED,
}
