"""Reading what an ended run left: its report is a claim, its files are measured again, its warden is believed."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swath.contract.fields import ContractError
from swath.contract.interface import GIVEN_OUTPUTS, Interface
from swath.contract.run import Ending as ReportedEnding
from swath.contract.run import OutputRecord, RunReport

from swath_marketplace.domain.endings import Claim, Ending, ProcessEnd, judge
from swath_marketplace.domain.runs import Desired, ErrorInfo, OutputFile, Run, Usage
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.services.events import writable
from swath_marketplace.services.inputs import InputObserver
from swath_marketplace.store.algorithms import AlgorithmStore

log = logging.getLogger(__name__)

_MAX_REPORT_BYTES = 8 << 20
_MAX_OUTPUTS = 1_000
_MAX_TEXT = 20_000
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}(?:; ?[a-z0-9-]{1,32}=[a-z0-9.-]{1,64}){0,4}", re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What is known of an ended run."""

    ending: Ending
    usage: Usage
    outputs: tuple[OutputFile, ...]
    inputs: tuple[Mapping[str, Any], ...]
    observation: Mapping[str, Any] | None = None


class Collector:
    """Collects a run once all its processes are gone; may be repeated after a crash, with the same answer."""

    def __init__(self, *, folders: RunFolders, algorithms: AlgorithmStore, inputs: InputObserver) -> None:
        self._folders = folders
        self._inputs = inputs
        self._algorithms = algorithms

    def collect(self, run: Run, end: ProcessEnd | None) -> Collected:
        """What `run` left, judged with what was seen of its process (`end`; ``None`` when it was lost)."""
        folder = self._folders.of(run.id)
        declared = self._declared(run)
        report = _report(folder)
        # A run that was killed before its report was written has its record of what it emitted.
        records = report.outputs if report else _emitted(folder)
        outputs = self._outputs(folder, records, allowed={*declared, *GIVEN_OUTPUTS})
        ending = judge(
            end=end,
            claim=_claim(report),
            cancel_wanted=run.desired is Desired.CANCELED,
            checkpoint=run.checkpoint,
            stopped_for=run.stopped_for,
            declared=declared,
            found={output.name for output in outputs},
        )
        observed = self._inputs.observe(run, folder, report.inputs if report else ())
        return Collected(
            ending=ending,
            usage=_usage(run, end),
            outputs=outputs,
            inputs=observed.inputs,
            observation=observed.how,
        )

    def _declared(self, run: Run) -> list[str]:
        algorithm = self._algorithms.get(run.owner, run.name)
        versions = algorithm.versions if algorithm else ()
        version = next(version for version in versions if version.version == run.version)
        return [output.name for output in Interface.from_dict(version.interface).outputs]

    def _outputs(
        self, folder: RunFolder, records: Sequence[OutputRecord], *, allowed: set[str]
    ) -> tuple[OutputFile, ...]:
        kept: dict[str, OutputFile] = {}
        name_of_path: dict[str, str] = {}
        for record in records:
            if record.name not in allowed or record.name in kept:
                log.info("an undeclared output is left out")
                continue
            if record.path in name_of_path:
                measured: tuple[int, str] | None = folder.copy_kept(record.name, name_of_path[record.path])
            else:
                measured = folder.keep(record.name, record.path)
            if measured is None:
                continue
            name_of_path[record.path] = record.name
            kept[record.name] = OutputFile(
                name=record.name,
                media_type=record.media_type
                if _MEDIA_TYPE.fullmatch(record.media_type)
                else "application/octet-stream",
                bytes=measured[0],
                sha256=measured[1],
                description=writable(record.description[:2000]),
            )
        return tuple(kept.values())


def _emitted(folder: RunFolder) -> Sequence[OutputRecord]:
    content = folder.read_out("outputs.jsonl", max_bytes=_MAX_REPORT_BYTES) or b""
    found = []
    for line in content.splitlines()[:_MAX_OUTPUTS]:
        try:
            found.append(OutputRecord.from_dict(json.loads(line)))
        except (ContractError, ValueError, RecursionError):
            continue
    return found


def _report(folder: RunFolder) -> RunReport | None:
    content = folder.read_out("report.json", max_bytes=_MAX_REPORT_BYTES)
    if content is None:
        return None
    try:
        return RunReport.from_dict(json.loads(content))
    except (ContractError, ValueError, RecursionError) as error:
        log.info("a report cannot be read: %s", type(error).__name__)
        return None


def _claim(report: RunReport | None) -> Claim | None:
    if report is None:
        return None
    error = report.error
    if error is None:
        return Claim(finished=report.ending is ReportedEnding.FINISHED, error=None)
    told = ErrorInfo(
        code=error.code.value,
        message=writable(error.message[:_MAX_TEXT]),
        cell=error.cell,
        traceback=writable(error.traceback[-_MAX_TEXT:]) or None,
    )
    return Claim(finished=False, error=told)


def _usage(run: Run, end: ProcessEnd | None) -> Usage:
    if end is None:
        return Usage(memory_mb=run.resources.memory_mb)
    return Usage(
        cpu_seconds=end.cpu_seconds,
        wall_seconds=end.wall_seconds,
        memory_mb=run.resources.memory_mb,
        peak_memory_bytes=end.peak_memory_bytes,
    )
