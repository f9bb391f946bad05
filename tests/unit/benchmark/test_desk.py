"""Benchmarks at the desk: the folder that is read, what comes of scenarios, references that are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from swath.benchmark.folder import AlgorithmFolder, read_algorithm
from swath.benchmark.judging import benchmark, outdated
from swath.benchmark.references import with_hashes, write_references
from swath.benchmark.running import DeskRun
from swath.client.errors import Invalid, NotFound
from swath.contract.fields import ContractError
from swath.contract.run import Ending, ErrorCode, OutputRecord, RunError, RunReport
from swath.contract.scenarios import Scenario

SIX = b'{"value": 6.0}'
SCENARIO = """\
# What it is for
title: Three doubled
parameters: {n: 3}   # three
outputs:
  double:
    reference: references/three/double.json
    sha256: "%s"
    tolerance: {rtol: 1.0e-3}
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def notebook() -> dict[str, Any]:
    def cell(source: str, *tags: str) -> dict[str, Any]:
        return {
            "cell_type": "code",
            "id": sha256(source.encode())[:8],
            "metadata": {"tags": list(tags)},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }

    about = {"name": "double", "title": "Doubles", "summary": "For tests", "license": "MIT", "environment": "eo"}
    cells = [
        cell("# How many\nn: int = 3", "parameters"),
        cell("import swath\nswath.emit('double', {'value': 2.0 * n})"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, "swath": about}, "cells": cells}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "double"
    (place / "scenarios").mkdir(parents=True)
    (place / "references" / "three").mkdir(parents=True)
    (place / "notebook.ipynb").write_text(json.dumps(notebook()))
    (place / "references" / "three" / "double.json").write_bytes(SIX)
    (place / "scenarios" / "three.yaml").write_text(SCENARIO % sha256(SIX))
    return place


class FakeRuns:
    """Brings what the test says, run after run."""

    def __init__(self, *found: Any) -> None:
        self._found: Iterator[Any] = iter(found)
        self.folders: list[Path] = []

    def __call__(self, _: AlgorithmFolder, __: Scenario, folder: Path) -> DeskRun:
        self.folders.append(folder)
        found = next(self._found)
        error = found if isinstance(found, RunError) else None
        outputs = []
        if error is None and found is not None:
            (folder / "out").mkdir(parents=True)
            (folder / "out" / "double.json").write_bytes(found)
            outputs.append(
                OutputRecord(
                    name="double",
                    path="double.json",
                    media_type="application/json",
                    bytes=len(found),
                    sha256=sha256(found),
                )
            )
        now = datetime.now(UTC)
        report = RunReport(
            ending=Ending.ERROR if error else Ending.FINISHED,
            error=error,
            outputs=tuple(outputs),
            started_at=now,
            ended_at=now,
        )
        return DeskRun(report=report, folder=folder, seconds=1.5)


def failed(code: str, message: str = "there is nothing in 1999") -> RunError:
    return RunError(code=ErrorCode(code), message=message, cell=1)


def judged(folder: Path, *found: Any, **more: Any) -> Any:
    algorithm = read_algorithm(folder)
    (scenario,) = algorithm.scenarios.values()
    given: dict[str, Any] = {"collections": None, **more}
    return benchmark(algorithm, scenario, folder.parent / "work", runner=FakeRuns(*found), **given)


@pytest.mark.parametrize(
    ("first", "second", "outcome", "words"),
    [
        (SIX, SIX, "green", "as its reference"),
        (b'{"value": 6.005}', b'{"value": 6.005}', "green", "within its tolerance"),
        (b'{"value": 6.06}', b'{"value": 6.06}', "red", "double differs from its reference"),
        (SIX, b'{"value": 6.1}', "red", "differs from the first run's, when it ran again"),
        (None, SIX, "red", "brought no output double"),
        (failed("cell-failed"), SIX, "red", "cell 1: there is nothing in 1999 (cell-failed)"),
        (SIX, failed("time-limit", "too long"), "red", "too long (time-limit)"),
    ],
)
def test_what_comes_of_a_scenario(folder: Path, first: Any, second: Any, outcome: str, words: str) -> None:
    found = judged(folder, first, second)
    assert found.outcome == outcome
    assert words in found.message


def test_a_run_that_failed_is_not_repeated_and_once_is_once(folder: Path) -> None:
    runs = FakeRuns(failed("cell-failed"))
    algorithm = read_algorithm(folder)
    (scenario,) = algorithm.scenarios.values()
    benchmark(algorithm, scenario, folder.parent / "a", collections=None, runner=runs)
    assert len(runs.folders) == 1
    found = judged(folder, SIX, once=True)
    assert (found.outcome, found.repeated) == ("green", {})


@pytest.mark.parametrize(
    ("refused", "parameters", "run", "outcome"),
    [
        ({"code": "cell-failed", "message": "nothing in"}, {}, failed("cell-failed"), "green"),
        ({"code": "cell-failed", "message": "something"}, {}, failed("cell-failed"), "red"),
        ({"code": "cell-failed"}, {}, failed("time-limit"), "red"),
        ({"code": "cell-failed"}, {}, SIX, "red"),
        ({"code": "invalid"}, {"n": "x"}, None, "green"),
        ({"code": "invalid", "message": "nowhere"}, {"n": "x"}, None, "red"),
    ],
)
def test_calls_that_have_to_be_refused(
    folder: Path, refused: dict[str, str], parameters: dict[str, Any], run: Any, outcome: str
) -> None:
    (folder / "scenarios" / "three.yaml").unlink()
    data = {"title": "x", "parameters": parameters, "refused": refused}
    (folder / "scenarios" / "no.json").write_text(json.dumps(data))
    assert judged(folder, run).outcome == outcome


def test_what_the_archive_lacks_is_passed_over(folder: Path) -> None:
    path = folder / "scenarios" / "three.yaml"
    path.write_text(path.read_text() + "needs: [far-away]\n")
    found = judged(folder, collections=frozenset({"here"}))
    assert (found.outcome, found.message) == ("passed-over", "the archive at hand lacks far-away")


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("title: [", "scenarios/three.yaml", "cannot be read"),
        ("title: x\nwhat: 1\n", "scenarios/three.yaml", "what"),
        ("title: x\n", "scenarios/three.yaml", "either 'outputs' or 'refused'"),
        (SCENARIO % "1", "scenarios/three.yaml", "64 hexadecimal digits"),
        (SCENARIO % ("1" * 64), "scenarios/three.outputs.double.sha256", "another sha256"),
        (
            SCENARIO.replace("double.json", "gone.json") % sha256(SIX),
            "scenarios/three.outputs.double.reference",
            "no file",
        ),
        (SCENARIO.replace("  double:", "  duble:") % sha256(SIX), "scenarios/three.outputs.duble", "no output"),
        (SCENARIO.replace("n: 3", "n: many") % sha256(SIX), "scenarios/three.parameters.n", "integer"),
        (SCENARIO.replace("1.0e-3", "-1") % sha256(SIX), "scenarios/three.yaml", "rtol"),
        ("title: x\nparameters: {n: 3}\nrefused: {code: invalid}\n", "scenarios/three.refused", "nothing would refuse"),
    ],
)
def test_a_bad_scenario_is_named_and_nothing_is_run(folder: Path, text: str, field: str, words: str) -> None:
    (folder / "scenarios" / "three.yaml").write_text(text)
    with pytest.raises(Invalid) as told:
        read_algorithm(folder)
    (finding,) = told.value.findings
    assert finding["field"] == field
    assert words in finding["message"]


def test_a_folder_without_what_is_asked_for(folder: Path) -> None:
    with pytest.raises(NotFound, match="called four"):
        read_algorithm(folder, names=["three", "four"])
    assert [one.name for one in read_algorithm(folder, names=["three"]).scenarios.values()] == ["three"]
    assert read_algorithm(folder / "notebook.ipynb").path == folder
    (folder / "scenarios" / "three.yaml").unlink()
    with pytest.raises(NotFound, match="no scenario in"):
        read_algorithm(folder)
    (folder / "notebook.ipynb").write_text(json.dumps(notebook()).replace("n: int = 3", "n: int = ("))
    with pytest.raises(Invalid, match="cannot be published"):
        read_algorithm(folder)


@pytest.mark.parametrize(
    "before",
    [
        SCENARIO % ("0" * 64),
        (SCENARIO % ("0" * 64)).replace('"', ""),
        SCENARIO.replace('    sha256: "%s"\n', ""),
        "title: x  # ä\noutputs: {double: {reference: references/three/double.json}}\n",
        'title: x\noutputs: {double: {sha256: "' + "0" * 64 + '", reference: references/three/double.json}}  # end\n',
        '{"title": "x", "outputs": {"double": {"reference": "references/three/double.json"}}}',
    ],
)
def test_new_references_change_the_hash_and_nothing_else(folder: Path, before: str, tmp_path: Path) -> None:
    suffix = "json" if before.startswith("{") else "yaml"
    (folder / "scenarios" / "three.yaml").unlink()
    file = folder / "scenarios" / f"three.{suffix}"
    file.write_text(before)
    ((path, scenario),) = read_algorithm(folder, updating=True).scenarios.items()
    new = tmp_path / "new.json"
    new.write_bytes(b'{"value": 7.0}')
    hashes = write_references(folder, path, scenario=scenario, produced={"double": new})
    assert hashes == {"double": sha256(b'{"value": 7.0}')}
    assert (folder / "references" / "three" / "double.json").read_bytes() == b'{"value": 7.0}'
    (after,) = read_algorithm(folder).scenarios.values()
    assert after.outputs["double"].sha256 == hashes["double"]
    assert after.parameters == scenario.parameters
    if suffix == "yaml":
        kept = [line for line in before.splitlines() if "sha256" not in line and "reference" not in line]
        assert all(line in file.read_text() for line in kept), "comments and order stay"
    assert sorted(path.name for path in folder.rglob(".*")) == []


def test_what_is_no_scenario_at_all_is_said() -> None:
    for content in (b"\xff", b"[", b"outputs: [1, 2"):
        with pytest.raises(ContractError, match="cannot be read"):
            with_hashes("scenarios/x.yaml", content, {})
    assert with_hashes("scenarios/x.yaml", b"just words", {}) == b"just words"


@pytest.mark.parametrize(
    ("reference", "hashed", "first", "second", "is_outdated"),
    [
        (SIX, SIX, SIX, SIX, False),
        # Within the tolerance nothing has to be written anew.
        (SIX, SIX, b'{"value": 6.001}', b'{"value": 6.001}', False),
        (SIX, SIX, b'{"value": 7}', b'{"value": 7}', True),
        (SIX, b"another", SIX, SIX, True),
        (b'{"value": 7}', SIX, SIX, SIX, True),
        (None, SIX, SIX, SIX, True),
        # What differs from run to run is no reference.
        (SIX, SIX, b'{"value": 7}', b'{"value": 8}', False),
        (SIX, SIX, failed("cell-failed"), SIX, False),
    ],
)
def test_which_references_are_outdated(
    folder: Path, reference: bytes | None, hashed: bytes, first: Any, second: Any, is_outdated: bool
) -> None:
    file = folder / "references" / "three" / "double.json"
    if reference is None:
        file.unlink()
    else:
        file.write_bytes(reference)
    (folder / "scenarios" / "three.yaml").write_text(SCENARIO % sha256(hashed))
    algorithm = read_algorithm(folder, updating=True)
    (scenario,) = algorithm.scenarios.values()
    found = benchmark(
        algorithm,
        scenario,
        folder.parent / "work",
        collections=None,
        compare_references=reference is not None,
        runner=FakeRuns(first, second),
    )
    assert bool(outdated(folder, scenario, found)) is is_outdated
