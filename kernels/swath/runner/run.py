"""One run from its folder's input to its report."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swath.contract.fields import ContractError
from swath.contract.run import (
    EVENTS,
    INPUTS,
    NOTEBOOK,
    OUTPUT_HTML,
    OUTPUT_NOTEBOOK,
    OUTPUTS,
    REPORT,
    SPEC,
    Ending,
    ErrorCode,
    EventType,
    RunError,
    RunReport,
    RunSpec,
)
from swath.runner import report as reports
from swath.runner.journal import Journal, plain
from swath.runner.kernel import Kernel
from swath.runner.produced import collect, read_inputs
from swath.runner.stop import Stop, margin_seconds
from swath.runner.tail import Tail

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from swath.runner.engine import Work

PROGRESS = "out/progress.jsonl"
_STOPPED = {
    ErrorCode.CANCELED: "The run was canceled.",
    ErrorCode.TIME_LIMIT: "The run reached its limit of wall-clock time.",
}


def run(run_dir: Path, *, stop: Stop) -> RunReport:
    """Execute the run in `run_dir` and write its report.

    Whatever happens ends in a report, this function's own mistakes as error ``internal``.

    Parameters
    ----------
    run_dir
        Holds ``input/spec.json`` and ``input/notebook.ipynb``; all else is written below its ``out/``.
    stop
        Through which the run can be canceled.

    Returns
    -------
    RunReport
        As written to ``out/report.json``.
    """
    clock, started_at = time.monotonic(), datetime.now(UTC)
    (run_dir / "out").mkdir(parents=True, exist_ok=True)
    for name in (REPORT, OUTPUTS, INPUTS, PROGRESS, OUTPUT_NOTEBOOK, OUTPUT_HTML):
        (run_dir / name).unlink(missing_ok=True)
    journal = Journal(run_dir / EVENTS)
    try:
        report = _Run(run_dir, journal=journal, stop=stop, clock=clock, started_at=started_at).report()
    except Exception as error:
        from swath.runner.documents import describe

        report = reports.runner_failed(error, started_at=started_at, outputs=describe(run_dir))
    journal.write(EventType.END, name=report.ending.value, message=report.error.message if report.error else None)
    journal.close()
    reports.write(run_dir / REPORT, report)
    return report


class _Run:
    """What the steps of one run share."""

    def __init__(self, run_dir: Path, *, journal: Journal, stop: Stop, clock: float, started_at: datetime) -> None:
        self.run_dir, self.journal, self.stop = run_dir, journal, stop
        self.clock, self.started_at = clock, started_at

    def report(self) -> RunReport:
        """Do the work. What goes wrong outside the notebook is raised."""
        try:
            spec = RunSpec.from_dict(json.loads((self.run_dir / SPEC).read_bytes()))
            if spec.kernel != "python3":
                raise ContractError(f"spec.kernel: {spec.kernel!r} is not the kernel of this environment, python3")
        except (OSError, ValueError) as error:
            return reports.not_run(f"The run's specification can't be read: {error}", started_at=self.started_at)
        kernel = Kernel(self.run_dir, cpus=spec.cpus)
        try:
            return self._execute(spec, kernel)
        finally:
            kernel.close()

    def _execute(self, spec: RunSpec, kernel: Kernel) -> RunReport:
        engine = import_engine()
        from swath.runner import documents
        from swath.runner.prepare import InputInvalid, inject, load_notebook

        try:
            nb = load_notebook(self.run_dir / NOTEBOOK)
        except InputInvalid as error:
            return reports.not_run(str(error), started_at=self.started_at)
        original, injected = inject(nb, _source(spec), spec.parameters)
        work = self._work(spec, kernel, nb=nb, original=original, injected=injected)
        total = len(work.expected - {injected})
        self.journal.write(EventType.START, total_cells=total, message=f"{spec.algorithm} {spec.version}")
        warm = threading.Thread(target=_warm_html, daemon=True)
        warm.start()
        nb = engine.papermill_engines.execute_notebook_with_engine(
            "swath", nb, spec.kernel, output_path=self.run_dir / OUTPUT_NOTEBOOK, work=work
        )
        kernel.close()
        fault = why_unfinished(work)
        produced = collect(self.run_dir, spec.interface, complete=fault is None)
        fault = fault or produced.error
        warm.join()
        given = documents.save(
            nb,
            self.run_dir,
            title=spec.algorithm,
            error=fault.code if fault else None,
            failed=work.failure.index if work.failure else None,
            journal=self.journal,
        )
        if fault is None and self.journal.fraction < 1:
            self.journal.progress(1.0)
        return RunReport(
            ending=Ending.FINISHED if fault is None else Ending.ERROR,
            error=fault,
            outputs=(*given, *produced.records),
            inputs=read_inputs(self.run_dir / INPUTS),
            cells_total=total,
            cells_run=len(work.completed - {injected}),
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            versions=reports.versions(),
        )

    def _work(
        self, spec: RunSpec, kernel: Kernel, *, nb: NotebookNode, original: tuple[int, ...], injected: int | None
    ) -> Work:
        from swath.runner.engine import Work, runnable
        from swath.runner.prepare import reports_progress

        def on_progress(line: Mapping[str, Any]) -> None:
            fraction, message = line.get("fraction"), line.get("message")
            if isinstance(fraction, int | float) and not isinstance(fraction, bool):
                self.journal.progress(float(fraction), message=str(message or "")[:500])

        def on_output(line: Mapping[str, Any]) -> None:
            self.journal.write(EventType.OUTPUT, name=str(line.get("name"))[:100])

        return Work(
            journal=self.journal,
            kernel=kernel,
            stop=self.stop,
            tails=(
                Tail(self.run_dir / PROGRESS, on_line=on_progress),
                Tail(self.run_dir / OUTPUTS, on_line=on_output),
            ),
            original=original,
            injected=injected,
            expected=frozenset(index for index, cell in enumerate(nb.cells) if runnable(cell)),
            explicit_progress=reports_progress(nb),
            deadline=self.clock + spec.wall_seconds - margin_seconds(spec.wall_seconds),
        )


def why_unfinished(work: Work) -> RunError | None:
    """Why the notebook did not run to its end; a stop from outside counts before the error it caused in a cell."""
    failure, left = work.failure, sorted(work.expected - work.completed)
    cell = None if failure is None or failure.index is None else work.original[failure.index]
    trace = plain(failure.traceback)[-reports.TRACEBACK_CHARS :] if failure else ""
    if work.stopped is not None and (failure or left):
        return RunError(code=work.stopped, message=_STOPPED[work.stopped], cell=cell, traceback=trace)
    if failure is not None:
        message = plain(failure.message)[: reports.MESSAGE_CHARS]
        return RunError(code=failure.code, message=message, cell=cell, traceback=trace)
    if left:
        return RunError(
            code=ErrorCode.INTERNAL,
            cell=work.original[left[0]],
            message=f"{len(left)} of the notebook's cells were not executed, and nothing says why.",
        )
    return None


def import_engine() -> Any:
    """Import our engine, and papermill with it, without papermill's file systems: pyarrow alone would take 0.2 s."""
    hidden = "pyarrow" not in sys.modules
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        from swath.runner import engine
    finally:
        if hidden:
            del sys.modules["pyarrow"]
    return engine


def _source(spec: RunSpec) -> str:
    if not spec.interface.parameters:
        return ""
    from swath.contract.parameters import python_source

    return python_source(spec.interface, spec.parameters)


def _warm_html() -> None:
    from swath.runner.html import exporter

    exporter()
