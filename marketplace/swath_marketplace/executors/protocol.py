"""What the reconciler may ask of a place where runs take place, and what it is promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from swath_marketplace.domain.algorithms import AlgorithmVersion, Environment
from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import ErrorInfo, Run


class StartFailed(Exception):
    """The run's process could not be started and none is left; nothing of it ran."""


class Seen(StrEnum):
    """What is seen of a run's process."""

    NEVER = "never"
    """It was never started."""
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    """It was started, and is gone with everything it started, and nobody saw how."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One look at one run."""

    seen: Seen
    end: ProcessEnd | None = None
    """How it ended, with `Seen.ENDED`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """What a running run has taken so far, measured outside the sandbox."""

    wall_seconds: float
    """Since it began, by a clock that nobody sets; the one that `ProcessEnd.wall_seconds` will be told by."""
    cpu_seconds: float | None
    """``None`` where nothing measures it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What is to be run: the immutable version, its notebook and the environment it was published with."""

    version: AlgorithmVersion
    notebook: bytes
    environment: Environment
    revoked: ErrorInfo | None = None
    """Why a run that has not started must not: its version was revoked."""


class Executor(Protocol):
    """Where runs take place.

    Promises
    --------
    - A run is started once in its life, however often `start` is called, by however many processes: a later call finds
      the first one's process, living or dead, and gives the same handles.
    - `check`, `usage`, `ask_checkpoint` and `stop` never raise for a run that is unknown, ended or lost.
    - What was started lives on when the caller dies, and is found again through the saved handles or, where the caller
      died before it saved one, through the run's id.
    - After `Seen.ENDED` or `Seen.LOST` no process of the run is left.
    - Blocking; safe to call from many threads for different runs.
    """

    def start(self, run: Run, package: Package) -> Iterator[Mapping[str, Any]]:
        """Start `run`; yields handles, each to be saved before the next is asked for.

        Raises
        ------
        StartFailed
            When it cannot be started; no process is left then.
        """
        ...

    def check(self, runs: Sequence[Run]) -> Mapping[str, Observation]:
        """Look at many runs at once; by run id."""
        ...

    def usage(self, run: Run) -> Going | None:
        """What a running run has taken so far, cheaply; ``None`` when that cannot be told."""
        ...

    def ask_checkpoint(self, run: Run, told: Mapping[str, Any]) -> None:
        """Let the run know that it is to save what it has.

        `told` appears, read-only, as its ``control/checkpoint.json``. Idempotent; the first request stands.
        """
        ...

    @property
    def stop_seconds(self) -> float:
        """From a `stop` to the end of a run that ignores it."""
        ...

    def stop(self, run: Run) -> None:
        """Ask the process to end, and see to it that one that was never started never will be. Idempotent.

        Returns at once; `check` tells when it is over.
        """
        ...

    def forget(self, run: Run) -> None:
        """Give back what was kept for an ended run: its uid, its scratch files. Idempotent.

        Only after it was collected and that is saved; its event log stays.
        """
        ...
