"""What changed between a run and its reproduction, which steps there are, and whose tolerances count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from swath.contract.comparison import Comparison, Verdict
from swath_marketplace.domain import reproductions as steps
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.changes import changed_inputs, merged, named, unexplained
from swath_marketplace.domain.origins import Origin, OriginInput, OriginOutput, input_of
from swath_marketplace.domain.reproductions import Cause, CauseCode, ForbiddenStep, Outcome, Reproduction, Stage
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.result_comparing import ResultComparing
from swath_marketplace.store.archive_files import ArchiveFiles, FileState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def scene(item: str, sha256: str | None = "a", **more: str) -> OriginInput:
    return OriginInput(sha256=sha256, collection="s2", item=item, asset="B04", **more)


@pytest.fixture
def asked() -> Reproduction:
    origin = Origin(
        run_id="r1",
        algorithm="ada/double",
        version="1.0.0",
        digest="sha256:1",
        parameters={"n": 1},
        environment="eo",
        lock_sha256="2" * 64,
        inputs=(scene("S1"),),
        outputs=(OriginOutput(name="double", sha256="b", media_type="application/json"),),
    )
    return Reproduction(id="x", origin=origin, asked_by="bob", asked_at=NOW)


# Causes


@pytest.mark.parametrize(
    ("after", "codes"),
    [
        ([scene("S1"), scene("S2")], []),
        ([scene("S1", "other"), scene("S2")], [CauseCode.INPUT_REPLACED]),
        ([scene("S1", None), scene("S2")], []),
        ([scene("S1"), scene("S2"), scene("S3")], [CauseCode.INPUT_ADDED]),
        ([scene("S1")], [CauseCode.INPUT_NOT_READ]),
        (
            [scene("S1", "other"), scene("S3")],
            [CauseCode.INPUT_REPLACED, CauseCode.INPUT_ADDED, CauseCode.INPUT_NOT_READ],
        ),
    ],
)
def test_changed_inputs_are_told_apart(after: list[OriginInput], codes: list[CauseCode]) -> None:
    assert [cause.code for cause in changed_inputs([scene("S1"), scene("S2")], after)] == codes


def test_nothing_is_new_to_a_run_that_has_no_record() -> None:
    assert changed_inputs([], [scene("S1")]) == []


def test_many_files_are_named_in_part() -> None:
    cause = named(CauseCode.INPUT_GONE, [scene(f"S{number}") for number in range(12)], "is gone", "are gone")
    assert cause is not None
    assert cause.message.startswith("scene s2/S0 (B04), scene s2/S1 (B04)")
    assert cause.message.endswith("scene s2/S9 (B04) and 2 more are gone")


def test_each_cause_is_told_once() -> None:
    first, second = Cause(code=CauseCode.CHANCE, message="a"), Cause(code=CauseCode.CHANCE, message="b")
    assert merged([first], [second]) == (first,)


def test_without_a_hint_it_is_unexplained() -> None:
    assert unexplained([]).code is CauseCode.UNEXPLAINED


@pytest.mark.parametrize(
    ("said", "path", "title"),
    [
        ({"href": "/archive/s2/x.tif"}, "s2/x.tif", "file s2/x.tif"),
        ({"href": "https://elsewhere/x.tif"}, None, "a file without a name"),
        ({"path": "a.tif", "href": "/archive/b.tif", "bytes": 3}, "a.tif", "file a.tif"),
        ({"collection": "s2", "item": "S1"}, None, "scene s2/S1"),
    ],
)
def test_an_input_is_read_from_what_was_said(said: dict[str, object], path: str | None, title: str) -> None:
    assert (input_of(said).path, input_of(said).title) == (path, title)


# Steps


def test_an_origin_comes_back_from_json(asked: Reproduction) -> None:
    assert Origin.from_dict(asked.origin.as_dict()) == asked.origin


def test_the_way_to_a_verdict(asked: Reproduction) -> None:
    running = steps.started(asked, "r2", causes=[])
    ended = steps.ended(steps.finished(running), Outcome.IDENTICAL, message="m", causes=[], at=NOW)
    assert (ended.stage, ended.ended, ended.run_id) == (Stage.ENDED, True, "r2")


def test_what_no_reproduction_may_do(asked: Reproduction) -> None:
    running = steps.started(asked, "r2", causes=[])
    why = [Cause(code=CauseCode.REFUSED, message="no")]
    ended = steps.ended(asked, Outcome.CANNOT, message="m", causes=why, at=NOW)
    for step in (
        lambda: steps.finished(asked),
        lambda: steps.started(running, "r3", causes=[]),
        lambda: steps.ended(ended, Outcome.CANNOT, message="m", causes=why, at=NOW),
        lambda: steps.ended(asked, Outcome.CANNOT, message="m", causes=[], at=NOW),
        lambda: steps.ended(asked, Outcome.IDENTICAL, message="m", causes=[], at=NOW),
        lambda: steps.check(replace(running, outcome=Outcome.DIFFERS)),
        lambda: steps.check(replace(running, run_id=None)),
    ):
        with pytest.raises(ForbiddenStep):
            step()


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ([], Outcome.IDENTICAL),
        ([Verdict.IDENTICAL], Outcome.IDENTICAL),
        ([Verdict.IDENTICAL, Verdict.WITHIN], Outcome.WITHIN),
        ([Verdict.WITHIN, Verdict.DIFFERS], Outcome.DIFFERS),
        ([Verdict.IDENTICAL, Verdict.INCOMPARABLE], Outcome.DIFFERS),
    ],
)
def test_the_worst_output_decides(verdicts: list[Verdict], outcome: Outcome) -> None:
    found = {str(place): Comparison(verdict=one, kind="bytes", message="m") for place, one in enumerate(verdicts)}
    assert steps.outcome_of(found) is outcome


def a_run(*outputs: str) -> Run:
    return Run(
        id="r2",
        algorithm_id="a",
        owner="ada",
        name="double",
        version="1.0.0",
        digest="sha256:1",
        caller="bob",
        parameters={},
        resources=Resources(),
        quote_millicredits=1,
        created_at=NOW,
        outputs=tuple(OutputFile(name=name, media_type="text/plain", bytes=1, sha256="b") for name in outputs),
    )


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        (["double", "notebook"], {"double": Verdict.IDENTICAL}),
        (["double", "more"], {"double": Verdict.IDENTICAL, "more": Verdict.DIFFERS}),
        (["notebook-html"], {"double": Verdict.DIFFERS}),
    ],
)
def test_an_output_that_is_new_or_missing_differs(
    asked: Reproduction, tmp_path: Path, outputs: list[str], found: dict[str, Verdict]
) -> None:
    comparing = ResultComparing(comparer=None, folders=RunFolders(tmp_path), pictures=tmp_path)
    told = comparing.compare(asked, a_run(*outputs)).comparisons
    assert {name: one.verdict for name, one in told.items()} == found


# The archive


def test_what_became_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"1")
    (tmp_path.parent / "outside").write_bytes(b"1")
    archive = ArchiveFiles(root=tmp_path, hashes=lambda path: path.read_text())
    states = {
        OriginInput(sha256="1", path="x.tif"): FileState.SAME,
        OriginInput(sha256="2", path="x.tif"): FileState.REPLACED,
        OriginInput(sha256="1", path="y.tif"): FileState.GONE,
        OriginInput(sha256=None, path="y.tif"): FileState.UNKNOWN,
        OriginInput(sha256=None, path="x.tif"): FileState.UNKNOWN,
        OriginInput(sha256="1"): FileState.UNKNOWN,
        OriginInput(sha256="1", path="../outside"): FileState.UNKNOWN,
        OriginInput(sha256="1", path="/etc/passwd"): FileState.UNKNOWN,
        OriginInput(sha256="1", path="x\0"): FileState.UNKNOWN,
    }
    assert {read: archive.state(read) for read in states} == states
    assert ArchiveFiles(root=None, hashes=str).state(scene("S1", path="x.tif")) is FileState.UNKNOWN
