"""One run from its folder's input to its report."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
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
    OutputRecord,
    RunError,
    RunReport,
    RunSpec,
)

from .journal import Journal, plain
from .kernel import Kernel
from .produced import Produced, collect, measure, read_inputs
from .stop import Stop, margin_seconds
from .tail import Tail

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from .engine import Work

PROGRESS = "out/progress.jsonl"
_TRACEBACK_CHARS = 20_000
_MESSAGE_CHARS = 2_000


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
    started = time.monotonic(), datetime.now(UTC)
    (run_dir / "out").mkdir(parents=True, exist_ok=True)
    for name in (REPORT, OUTPUTS, INPUTS, PROGRESS):
        (run_dir / name).unlink(missing_ok=True)
    journal = Journal(run_dir / EVENTS)
    try:
        report = _Run(run_dir, journal=journal, stop=stop, started=started).report()
    except Exception as error:
        report = RunReport(
            ending=Ending.ERROR,
            error=_internal(error),
            started_at=started[1],
            ended_at=datetime.now(UTC),
            versions=versions(),
        )
    said = report.error.message if report.error else None
    journal.write(EventType.END, name=report.ending.value, message=said, fraction=1.0 if report.error is None else None)
    journal.close()
    _write_report(run_dir / REPORT, report)
    return report


class _Run:
    """What the steps of one run share."""

    def __init__(self, run_dir: Path, *, journal: Journal, stop: Stop, started: tuple[float, datetime]) -> None:
        self.run_dir, self.journal, self.stop = run_dir, journal, stop
        self.started, self.started_at = started

    def report(self) -> RunReport:
        try:
            spec = RunSpec.from_dict(json.loads((self.run_dir / SPEC).read_bytes()))
            if spec.kernel != "python3":
                raise ContractError(f"spec.kernel: {spec.kernel!r} is not the kernel of this environment, python3")
        except (OSError, ValueError) as error:
            return self._failed_before(f"The run's specification can't be read: {error}")
        kernel = Kernel(self.run_dir, cpus=spec.cpus)
        try:
            return self._execute(spec, kernel)
        finally:
            kernel.close()

    def _failed_before(self, message: str) -> RunReport:
        error = RunError(code=ErrorCode.INTERNAL, message=message)
        return RunReport(
            ending=Ending.ERROR,
            error=error,
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            versions=versions(),
        )

    def _execute(self, spec: RunSpec, kernel: Kernel) -> RunReport:
        engine = import_engine()
        from .prepare import InputInvalid, inject, load_notebook

        try:
            nb = load_notebook(self.run_dir / NOTEBOOK)
        except InputInvalid as error:
            return self._failed_before(str(error))
        total = sum(map(engine.runnable, nb.cells))
        original, injected = inject(nb, _source(spec), spec.parameters)
        work = self._work(spec, kernel, nb=nb, original=original, injected=injected)
        self.journal.write(EventType.START, total_cells=total, message=f"{spec.algorithm} {spec.version}")
        warm = threading.Thread(target=_warm_html, daemon=True)
        warm.start()
        nb = engine.papermill_engines.execute_notebook_with_engine(
            "swath", nb, spec.kernel, output_path=self.run_dir / OUTPUT_NOTEBOOK, work=work
        )
        kernel.close()
        fault = self._error(work, nb=nb)
        produced = collect(self.run_dir, spec.interface, complete=fault is None)
        fault = fault or produced.error
        warm.join()
        given = self._documents(nb, error=fault, work=work, title=spec.algorithm)
        return self._finish(work, error=fault, produced=produced, given=given, total=total)

    def _work(
        self, spec: RunSpec, kernel: Kernel, *, nb: NotebookNode, original: tuple[int, ...], injected: int | None
    ) -> Work:
        from .engine import Work
        from .prepare import reports_progress

        def on_progress(line: Mapping[str, Any]) -> None:
            fraction, message = line.get("fraction"), line.get("message")
            if isinstance(fraction, int | float) and not isinstance(fraction, bool):
                self.journal.progress(float(fraction), message=str(message or "")[:500])

        def on_output(line: Mapping[str, Any]) -> None:
            self.journal.write(EventType.OUTPUT, name=str(line.get("name"))[:100])

        tails = (
            Tail(self.run_dir / PROGRESS, on_line=on_progress),
            Tail(self.run_dir / OUTPUTS, on_line=on_output),
        )
        return Work(
            journal=self.journal,
            kernel=kernel,
            stop=self.stop,
            tails=tails,
            original=original,
            injected=injected,
            explicit_progress=reports_progress(nb),
            deadline=self.started + spec.wall_seconds - margin_seconds(spec.wall_seconds),
        )

    def _error(self, work: Work, *, nb: NotebookNode) -> RunError | None:
        """Why the notebook did not run to its end; a stop from outside counts before what it did inside."""
        from .engine import runnable

        failure = work.failure
        index = failure.index if failure else None
        cell = None if index is None else work.original[index]
        trace = plain(failure.traceback)[-_TRACEBACK_CHARS:] if failure else ""
        if self.stop.reason is not None and not (failure is None and self._all_run(work, nb=nb)):
            return RunError(code=self.stop.reason, message=_STOPPED[self.stop.reason], cell=cell, traceback=trace)
        if failure is not None:
            return RunError(
                code=failure.code, message=plain(failure.message)[:_MESSAGE_CHARS], cell=cell, traceback=trace
            )
        left = [i for i, each in enumerate(nb.cells) if runnable(each) and i not in work.completed]
        if left:
            return RunError(
                code=ErrorCode.INTERNAL,
                cell=work.original[left[0]],
                message=f"{len(left)} cells were not executed, and nothing says why.",
            )
        return None

    @staticmethod
    def _all_run(work: Work, *, nb: NotebookNode) -> bool:
        from .engine import runnable

        return all(index in work.completed for index, cell in enumerate(nb.cells) if runnable(cell))

    def _documents(self, nb: NotebookNode, *, error: RunError | None, work: Work, title: str) -> list[OutputRecord]:
        """Save the executed notebook and its page, and describe both."""
        from .engine import save_notebook
        from .html import write_html
        from .prepare import mark_failure

        if error is not None:
            nb = mark_failure(nb, work.failure.index if work.failure else None, error.code)
        save_notebook(nb, self.run_dir / OUTPUT_NOTEBOOK)
        given = [_given("notebook", OUTPUT_NOTEBOOK, "application/x-ipynb+json", "The executed notebook")]
        try:
            write_html(nb, self.run_dir / OUTPUT_HTML, title=title)
            given.append(_given("notebook-html", OUTPUT_HTML, "text/html", "The executed notebook as a page"))
        except Exception as problem:  # the results are worth more than their page
            self.journal.log(f"The page of the notebook could not be made: {problem}\n", stream="stderr")
        return [measure(self.run_dir / "out", record) for record in given]

    def _finish(
        self,
        work: Work,
        *,
        error: RunError | None,
        produced: Produced,
        given: list[OutputRecord],
        total: int,
    ) -> RunReport:
        if error is None:
            self.journal.progress(1.0)
        return RunReport(
            ending=Ending.FINISHED if error is None else Ending.ERROR,
            error=error,
            outputs=(*given, *produced.records),
            inputs=read_inputs(self.run_dir / INPUTS),
            cells_total=total,
            cells_run=len(work.completed - {work.injected}),
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            versions=versions(),
        )


_STOPPED = {
    ErrorCode.CANCELED: "The run was canceled.",
    ErrorCode.TIME_LIMIT: "The run reached its limit of wall-clock time.",
}


def import_engine() -> Any:
    """Import our engine, and papermill with it, without papermill's file systems: pyarrow alone would take 0.2 s."""
    hidden = "pyarrow" not in sys.modules
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        from . import engine
    finally:
        if hidden:
            del sys.modules["pyarrow"]
    return engine


def versions() -> dict[str, str]:
    """Of Python and the packages that did the work."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("swath", "papermill", "nbclient", "ipykernel", "nbconvert"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _source(spec: RunSpec) -> str:
    if not spec.interface.parameters:
        return ""
    from swath.contract.parameters import python_source

    return python_source(spec.interface, spec.parameters)


def _given(name: str, path: str, media_type: str, description: str) -> OutputRecord:
    relative = path.removeprefix("out/")
    return OutputRecord(
        name=name, path=relative, media_type=media_type, bytes=0, sha256="0" * 64, description=description
    )


def _warm_html() -> None:
    from .html import exporter

    exporter()


def _internal(error: Exception) -> RunError:
    trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:]
    return RunError(
        code=ErrorCode.INTERNAL,
        message=f"The runner itself failed ({type(error).__name__}: {error})."[:_MESSAGE_CHARS],
        traceback=trace,
    )


def _write_report(path: Path, report: RunReport) -> None:
    partial = path.with_name(".report.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(report.as_dict(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
