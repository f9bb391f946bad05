"""What comes of a scenario: each way in which its runs and comparisons can turn out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from swath.contract.comparison import Comparison, Verdict
from swath.contract.scenarios import Scenario
from swath_marketplace.domain import judging
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.benchmarks import ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.runs import (
    ErrorInfo,
    OutputFile,
    RefusalInfo,
    Run,
    RunPurpose,
    RunStatus,
    SettlementKind,
    Stage,
    Usage,
)

AT = datetime(2026, 6, 1, tzinfo=UTC)
SEASON = Scenario.from_dict(
    "season", {"title": "A season", "outputs": {"median": {"reference": "references/m.tif", "sha256": "0" * 64}}}
)
REFUSED = Scenario.from_dict(
    "nothing", {"title": "Nothing", "refused": {"code": "cell-failed", "message": "nothing in"}}
)
INVALID = Scenario.from_dict("wrong", {"title": "Wrong", "refused": {"code": "invalid", "message": "temporal_extent"}})


def run(number: int = 1, **changed: Any) -> Run:
    values: dict[str, Any] = {
        "id": f"r{number}",
        "outcome": RunStatus.FINISHED,
        "settlement": SettlementKind.CAPTURED,
        "usage": Usage(wall_seconds=10.0 * number),
        "cost_millicredits": 100 * number,
        "outputs": (OutputFile(name="median", media_type="image/tiff", bytes=1, sha256="1" * 64),),
        **changed,
    }
    return Run(
        algorithm_id="a",
        owner="ada",
        name="x",
        version="1.0.0",
        digest="d",
        caller="platform",
        parameters={},
        resources=Resources(),
        quote_millicredits=1000,
        created_at=AT,
        stage=Stage.TERMINAL,
        purpose=RunPurpose.BENCHMARK,
        **values,
    )


def failed(code: str, message: str = "it has nothing in there", **more: Any) -> Run:
    return run(outcome=RunStatus.ERROR, error=ErrorInfo(code=code, message=message, cell=4), outputs=(), **more)


def comparison(verdict: Verdict, message: str = "3 of 9 pixels differ") -> dict[str, Comparison]:
    return {"median": Comparison(verdict=verdict, kind="raster", message=message, compared=9, differing=3)}


def told(result: ScenarioResult | None) -> tuple[str, str]:
    assert result is not None
    return result.outcome.value, result.message


def test_green_when_both_comparisons_are_the_same() -> None:
    found = judging.of_outputs(
        SEASON,
        [run(1), run(2)],
        comparisons=comparison(Verdict.WITHIN),
        repeated=comparison(Verdict.IDENTICAL),
    )
    assert told(found) == ("green", "every output is within its tolerance")
    assert (found.run_ids, found.wall_seconds, found.cost_millicredits) == (("r1", "r2"), 15.0, 150)
    assert found.failing is None


@pytest.mark.parametrize(
    ("against", "again", "outcome", "words"),
    [
        (Verdict.DIFFERS, Verdict.IDENTICAL, "red", "output median differs from its reference: 3 of 9"),
        (Verdict.INCOMPARABLE, Verdict.IDENTICAL, "red", "output median differs from its reference"),
        (Verdict.IDENTICAL, Verdict.DIFFERS, "red", "differs from the first run's, when it ran again"),
        (None, Verdict.IDENTICAL, "unknown", "was not compared with its reference"),
        (Verdict.IDENTICAL, None, "unknown", "was not compared with the first run's"),
    ],
)
def test_what_differs_is_named(against: Verdict | None, again: Verdict | None, outcome: str, words: str) -> None:
    found = judging.of_outputs(
        SEASON,
        [run(1), run(2)],
        comparisons=comparison(against) if against else {},
        repeated=comparison(again) if again else {},
    )
    assert found.outcome.value == outcome
    assert words in found.message
    assert (found.failing is not None) is (outcome == "red")


@pytest.mark.parametrize(
    ("ended", "outcome", "words"),
    [
        (failed("cell-failed", "ZeroDivisionError"), "red", "cell 4: ZeroDivisionError (cell-failed)"),
        (failed("time-limit", "too long"), "red", "too long (time-limit)"),
        (run(outputs=()), "red", "brought no output median"),
        (failed("runner-lost", platform_fault=True), "unknown", "the platform was at fault"),
        (failed("credits-exhausted"), "unknown", "the platform was at fault"),
        (run(outcome=RunStatus.CANCELED, outputs=()), "unknown", "canceled"),
        (
            failed(
                "refused",
                settlement=SettlementKind.REFUSED,
                refusal=RefusalInfo(code="credits-exhausted", message="no credits"),
            ),
            "unknown",
            "the platform's wallet did not pay: no credits",
        ),
    ],
)
def test_a_run_that_did_not_finish(ended: Run, outcome: str, words: str) -> None:
    found = judging.of_unfinished(SEASON, [run(1), ended])
    assert found is not None
    assert found.outcome.value == outcome
    assert words in found.message


def test_finished_runs_are_compared_first() -> None:
    assert judging.of_unfinished(SEASON, [run(1), run(2)]) is None


@pytest.mark.parametrize(
    ("ended", "outcome", "words"),
    [
        (failed("cell-failed"), "green", "as it has to"),
        (failed("cell-failed", "another reason"), "red", "not with 'nothing in'"),
        (failed("time-limit"), "red", "ended with time-limit"),
        (run(), "red", "the call finished"),
        (failed("failed-to-start", platform_fault=True), "unknown", "at fault"),
    ],
)
def test_a_call_that_the_notebook_has_to_refuse(ended: Run, outcome: str, words: str) -> None:
    found = judging.of_failure(REFUSED, ended)
    assert found.outcome.value == outcome
    assert words in found.message


@pytest.mark.parametrize(
    ("findings", "outcome", "words"),
    [
        ([], "red", "were accepted"),
        (["temporal_extent: ends before it begins"], "green", "refused as it has to be"),
        (["n: is missing"], "red", "not with 'temporal_extent'"),
    ],
)
def test_parameters_that_have_to_be_refused(findings: list[str], outcome: str, words: str) -> None:
    found = judging.of_parameters(INVALID, findings)
    assert found is not None
    assert found.outcome.value == outcome
    assert words in found.message
    assert found.run_ids == ()


def test_parameters_that_do_not_fit_are_red_before_anything_runs() -> None:
    assert told(judging.of_parameters(SEASON, ["n: is missing"])) == (
        "red",
        "the parameters do not fit the interface: n: is missing",
    )
    assert judging.of_parameters(SEASON, []) is None
    assert judging.of_parameters(REFUSED, []) is None


def test_what_the_archive_lacks_is_passed_over() -> None:
    needy = Scenario.from_dict(
        "far", {**SEASON.as_dict(), "refused": None, "needs": ["here", "elsewhere"]} | {"title": "x"}
    )
    assert judging.missing(needy, {"here"}) == ("elsewhere",)
    assert told(judging.passed_over(needy, ("elsewhere",))) == (
        "passed-over",
        "the archive next door lacks elsewhere",
    )


def test_a_result_survives_its_json() -> None:
    found = judging.of_outputs(
        SEASON, [run(1)], comparisons=comparison(Verdict.DIFFERS), repeated=comparison(Verdict.WITHIN)
    )
    assert ScenarioResult.from_dict(found.as_dict()) == found
    assert found.outcome is ScenarioOutcome.RED


def test_a_message_is_one_of_bounded_length() -> None:
    assert len(judging.unknown(SEASON, "x" * 5000).message) == 600
