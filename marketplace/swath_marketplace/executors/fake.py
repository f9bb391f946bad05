"""An `Executor` for tests: keeps every promise of the protocol, and runs what the test says instead of a notebook."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.protocol import Going, Observation, Package, Seen, StartFailed
from swath_marketplace.run_folder import RunFolder, RunFolders

#: What a run does: writes into its folder, and says how its process ended.
Script = Callable[[Run, RunFolder], ProcessEnd | None]


def finishing(*, outputs: Mapping[str, bytes] | None = None, cpu_seconds: float = 1.0) -> Script:
    """A run that brings `outputs` back and finishes."""

    def script(_: Run, folder: RunFolder) -> ProcessEnd:
        write_report(folder, outputs=outputs or {})
        return process_end(cpu_seconds=cpu_seconds)

    return script


def process_end(
    *, reason: str = "exited", exit_code: int | None = 0, cpu_seconds: float = 1.0, oom_kills: int = 0
) -> ProcessEnd:
    """An end as a warden would tell it."""
    return ProcessEnd(
        reason=reason,
        exit_code=exit_code,
        signal=None,
        cpu_seconds=cpu_seconds,
        wall_seconds=cpu_seconds,
        peak_memory_bytes=1 << 20,
        oom_kills=oom_kills,
    )


def write_report(folder: RunFolder, *, outputs: Mapping[str, bytes], error: Mapping[str, Any] | None = None) -> None:
    """A report as the runner would write it, with the files it names."""
    records = []
    for name, content in outputs.items():
        (folder.out / f"{name}.bin").write_bytes(content)
        records.append(
            {
                "name": name,
                "path": f"{name}.bin",
                "media_type": "application/octet-stream",
                "bytes": len(content),
                "sha256": sha256(content).hexdigest(),
                "description": "",
            }
        )
    now = datetime.now(UTC).isoformat()
    report = {
        "ending": "error" if error else "finished",
        "error": error,
        "outputs": records,
        "inputs": [],
        "cells_total": 1,
        "cells_run": 1,
        "started_at": now,
        "ended_at": now,
        "versions": {},
    }
    (folder.out / "report.json").write_text(json.dumps(report))


class FakeExecutor:
    """Runs `script` inside `start`, and keeps the end back until the test calls `let_end`, or at once.

    Attributes
    ----------
    script
        What the next runs do.
    hold_back
        When true, a run goes on until `let_end` or `stop`.
    fail_start
        When set, `start` raises `StartFailed` with it.
    going
        By id: what `usage` tells of a run.
    starts
        Ids in the order of effective starts: a run stands here once, whatever happens.
    """

    def __init__(self, folders: RunFolders, *, script: Script | None = None) -> None:
        self.script = script or finishing()
        self.hold_back = False
        self.fail_start: str | None = None
        self.starts: list[str] = []
        self.forgotten: set[str] = set()
        self.going: dict[str, Going] = {}
        self.stop_seconds = 5.0
        self._folders = folders
        self._lock = threading.Lock()
        self._seen: dict[str, Observation] = {}
        self._ends: dict[str, ProcessEnd | None] = {}
        self._forbidden: set[str] = set()

    def start(self, run: Run, package: Package) -> Iterator[Mapping[str, Any]]:
        yield {"intended": True}
        with self._lock:
            if self.fail_start is not None or run.id in self._forbidden:
                raise StartFailed(self.fail_start or "forbidden")
            if run.id not in self._seen:
                folder = self._folders.of(run.id)
                folder.prepare(spec={}, notebook=package.notebook, uid=1)
                self.starts.append(run.id)
                self._seen[run.id] = Observation(seen=Seen.RUNNING)
                self._ends[run.id] = self.script(run, folder)
                if not self.hold_back:
                    self._end(run.id)
        yield {"process": run.id}

    def check(self, runs: Sequence[Run]) -> Mapping[str, Observation]:
        with self._lock:
            return {run.id: self._seen.get(run.id, Observation(seen=Seen.NEVER)) for run in runs}

    def usage(self, run: Run) -> Going | None:
        return self.going.get(run.id)

    def ask_checkpoint(self, run: Run, told: Mapping[str, Any]) -> None:
        self._folders.of(run.id).say_checkpoint(told)

    def stop(self, run: Run) -> None:
        with self._lock:
            if run.id not in self._seen:
                self._forbidden.add(run.id)
            elif self._seen[run.id].seen is Seen.RUNNING:
                self._ends[run.id] = process_end(reason="stopped", exit_code=None)
                self._end(run.id)

    def forget(self, run: Run) -> None:
        self.forgotten.add(run.id)

    def let_end(self, run_id: str) -> None:
        """The process of a held-back run ends as its script said."""
        with self._lock:
            self._end(run_id)

    def lose(self, run_id: str) -> None:
        """The process disappears without a word."""
        with self._lock:
            self._seen[run_id] = Observation(seen=Seen.LOST)

    def _end(self, run_id: str) -> None:
        end = self._ends[run_id]
        self._seen[run_id] = Observation(seen=Seen.ENDED if end else Seen.LOST, end=end)
