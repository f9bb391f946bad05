"""Each criterion by a version that fails exactly it, and one version that passes all; criteria files that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from swath.contract.comparison import Comparison, Verdict
from swath.contract.interface import Interface, Output, Parameter
from swath.contract.kinds import Kind, ParameterType
from swath.contract.scenarios import Scenario
from swath_marketplace.criteria_files import CriteriaInvalid, load_criteria, shipped_criteria
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.assessments import Assessment, Cause, assess
from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.criteria import REGISTRY, SettingsInvalid, make
from swath_marketplace.domain.criteria.documents import sections
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.evidence import (
    By,
    Document,
    Evidence,
    Logging,
    RunFact,
    Scale,
    last_green,
    latest_results,
)
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import Review, ReviewKind, ReviewVerdict
from swath_marketplace.domain.runs import RunStatus

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
HASH = "ab" * 32
HEADINGS = (
    "What it does",
    "Method",
    "Parameters",
    "Outputs",
    "Limits",
    "Validation",
    "Cost and scale",
    "References",
    "Licence",
    "Contact",
)
PUBLICATION = "https://doi.org/10.1016/0034-4257(79)90013-0"
CARD = "# double\n\n" + "\n\n".join(
    f"## {heading}\n\nA sentence of several words. {PUBLICATION if heading == 'References' else ''}"
    for heading in HEADINGS
)
SAME = Comparison(verdict=Verdict.IDENTICAL, kind="json", message="the same")
APART = Comparison(verdict=Verdict.DIFFERS, kind="json", message="$.value is 7 and not 6")


def scenario(name: str, **data: Any) -> Scenario:
    path = f"references/{name}/double.json"
    expected = {"outputs": {"double": {"reference": path, "sha256": HASH}}} if "refused" not in data else {}
    return Scenario.from_dict(name, {"title": name, **expected, **data})


SCENARIOS = (
    scenario("four", parameters={"n": 4}),
    scenario("five", parameters={"n": 5, "unit": "km"}),
    scenario("huge", parameters={"n": 10**9}, refused={"code": "cell-failed", "message": "too large"}),
)


def result(name: str, **changes: Any) -> ScenarioResult:
    made = ScenarioResult(
        scenario=name,
        outcome=ScenarioOutcome.GREEN,
        message="as it should be",
        run_ids=(f"{name}-1", f"{name}-2"),
        comparisons={"double": SAME},
        repeated={"double": SAME},
        cost_millicredits=2_500,
    )
    if name == "huge":
        made = replace(made, comparisons={}, repeated={}, cost_millicredits=None)
    return replace(made, **changes)


def fact(number: int, **changes: Any) -> RunFact:
    made = RunFact(
        run_id=f"run-{number}",
        by=By.OTHERS,
        caller=f"caller-{number % 7}",
        outcome=RunStatus.FINISHED,
        cost_millicredits=2_000,
        quoted_p95_millicredits=3_000,
        ended_at=NOW - timedelta(hours=number),
    )
    return replace(made, **changes)


def review(kind: ReviewKind, number: int, **changes: Any) -> Review:
    made = Review(
        algorithm_id="a",
        digest="sha256:1",
        sequence=number,
        kind=kind,
        verdict=ReviewVerdict.APPROVE,
        text="I read it from the first cell to the last.",
        reviewer="eve",
        counts=True,
        at=NOW,
    )
    return replace(made, **changes)


def dossier(*scenarios: Scenario, **changes: Any) -> Dossier:
    files = {one.outputs["double"].reference: HASH for one in scenarios if one.outputs}
    made = Dossier(
        algorithm_id="a",
        version_digest="sha256:1",
        sequence=1,
        digest="sha256:d1",
        files={"README.md": HASH, **files},
        scenarios=scenarios,
        put_by="ada",
        put_at=NOW,
    )
    return replace(made, **changes)


def perfect() -> Evidence:
    """A version that passes everything."""
    whole = ParameterType(kind=Kind.INT)
    interface = Interface(
        parameters=(
            Parameter(name="n", type=whole, description="How many", required=False, default=3),
            Parameter(name="unit", type=ParameterType(kind=Kind.STR), description="Of it", required=False, default="m"),
        ),
        outputs=(Output(name="double", media_type="application/json", kind="json"),),
    )
    version = AlgorithmVersion(
        algorithm_id="a",
        owner="ada",
        name="double",
        version="1.0.0",
        digest="sha256:1",
        notebook_sha256=HASH,
        interface=interface.as_dict(),
        metadata={"summary": "Doubles any number that fits", "license": "MIT", "references": []},
        environment="eo",
        environment_lock_sha256="cd" * 32,
        resources=Resources(),
        published_at=NOW,
    )
    return Evidence(
        version=version,
        interface=interface,
        now=NOW,
        dossier=dossier(*SCENARIOS),
        documents={
            "README.md": Document(sha256=HASH, bytes=len(CARD), text=CARD),
            "LIFECYCLE.md": Document(sha256=HASH, bytes=400, text="kept up for two years " * 20),
            "validation.pdf": Document(sha256=HASH, bytes=20_000),
        },
        results={one.name: result(one.name) for one in SCENARIOS},
        green_at=NOW - timedelta(days=1),
        runs=[fact(number) for number in range(40)],
        largest=Scale(run_id="run-9", area_km2=12_000, days=30),
        logging=Logging(run_id="run-0", cells=4, messages=5),
        reviews=[review(ReviewKind.TECHNICAL, 1), review(ReviewKind.FUNCTIONAL, 2)],
    )


def with_metadata(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, version=replace(evidence.version, metadata={**evidence.version.metadata, **changes}))


def with_result(evidence: Evidence, name: str, **changes: Any) -> Evidence:
    return replace(evidence, results={**evidence.results, name: replace(evidence.results[name], **changes)})


def with_text(evidence: Evidence, name: str, text: str) -> Evidence:
    made = Document(sha256=HASH, bytes=len(text), text=text)
    return replace(evidence, documents={**evidence.documents, name: made})


def without(evidence: Evidence, name: str) -> Evidence:
    return replace(evidence, documents={key: one for key, one in evidence.documents.items() if key != name})


def with_parameters(evidence: Evidence, *more: Parameter, **changes: Any) -> Evidence:
    first, *rest = evidence.interface.parameters
    parameters = (replace(first, **changes), *rest, *more)
    return replace(evidence, interface=replace(evidence.interface, parameters=parameters))


def no_format(evidence: Evidence) -> Evidence:
    """Outputs of which neither the interface nor the reference's name tells the format."""
    outputs = tuple(replace(one, media_type=None) for one in evidence.interface.outputs)
    bare = tuple(
        replace(
            one,
            outputs={
                name: replace(expected, reference=expected.reference.removesuffix(".json"))
                for name, expected in one.outputs.items()
            },
        )
        for one in SCENARIOS
    )
    return replace(evidence, interface=replace(evidence.interface, outputs=outputs), dossier=dossier(*bare))


def no_costs(evidence: Evidence) -> Evidence:
    return replace(
        evidence, results={name: replace(one, cost_millicredits=None) for name, one in evidence.results.items()}
    )


def idle(number: int) -> Parameter:
    kind = ParameterType(kind=Kind.FLOAT)
    return Parameter(name=f"p{number}", type=kind, description="Never given", required=False, default=0.5)


def some_runs(evidence: Evidence, *changed: int, **changes: Any) -> Evidence:
    return replace(evidence, runs=[fact(number, **(changes if number in changed else {})) for number in range(40)])


Mutant = Callable[[Evidence], Evidence]
#: Criterion -> versions that lack it and nothing else.
MUTANTS: dict[str, list[Mutant]] = {
    "executable": [lambda e: replace(e, sandboxed=False)],
    "basic-logging": [lambda e: replace(e, logging=Logging(run_id="run-0", cells=0, messages=5))],
    "overview": [lambda e: with_metadata(e, summary=""), lambda e: with_metadata(e, summary="Four words and no")],
    "licence": [
        lambda e: with_metadata(e, license=None),
        lambda e: with_metadata(e, license="all mine, mine"),
        lambda e: with_metadata(e, license="Homemade-9.9"),
    ],
    "typed-interface": [lambda e: with_parameters(e, description=" ")],
    "example": [no_format],
    "cost-told": [no_costs],
    "scenarios": [
        lambda e: replace(e, dossier=replace(e.dossier, files={"README.md": HASH})),
        lambda e: replace(e, dossier=replace(e.dossier, files={**e.dossier.files, "references/four/double.json": "0"})),
    ],
    "benchmarks": [
        lambda e: with_result(e, "four", outcome=ScenarioOutcome.RED, comparisons={"double": APART}),
        lambda e: with_result(e, "four", outcome=ScenarioOutcome.RED, message="cell 3 failed", cell=3),
        lambda e: replace(e, results={name: one for name, one in e.results.items() if name != "five"}),
    ],
    "repeatable": [
        lambda e: with_result(e, "four", outcome=ScenarioOutcome.RED, repeated={"double": APART}),
        lambda e: with_result(e, "four", run_ids=("four-1",)),
    ],
    "wrong-inputs-refused": [
        lambda e: with_result(e, "huge", outcome=ScenarioOutcome.RED),
        lambda e: replace(e, dossier=dossier(*SCENARIOS[:2])),
    ],
    "parameters-exercised": [
        lambda e: with_parameters(e, idle(1)),
        # Given, and yet the default.
        lambda e: with_parameters(e, replace(idle(1), name="n2", type=ParameterType(kind=Kind.INT), default=4)),
    ],
    "advanced-logging": [lambda e: replace(e, logging=Logging(run_id="run-0", cells=4, messages=1))],
    "cost-calibrated": [
        lambda e: some_runs(e, *range(9), cost_millicredits=3_001),
        lambda e: some_runs(e, *range(37), quoted_p95_millicredits=None),
    ],
    "references": [lambda e: with_text(e, "README.md", CARD.replace("doi.org/10.1016", "example.org/11.10"))],
    "documentation": [
        lambda e: with_text(e, "README.md", CARD.replace("## Limits", "```\n## Limits\n```")),
        lambda e: with_text(e, "README.md", CARD.replace("## Contact\n\nA sentence of several words.", "## Contact")),
    ],
    "validation-report": [
        lambda e: without(e, "validation.pdf"),
        lambda e: replace(e, documents={**e.documents, "validation.pdf": Document(sha256=HASH, bytes=10)}),
    ],
    "scale": [
        lambda e: replace(e, largest=None),
        lambda e: replace(e, largest=Scale(run_id="run-9", area_km2=100, days=10)),
    ],
    "success-rate": [
        lambda e: some_runs(e, 0, 5, 9, outcome=RunStatus.ERROR, error_code="cell-failed"),
        lambda e: some_runs(e, *range(21), by=By.AUTHOR),
        lambda e: some_runs(e, *range(40), caller="bob"),
        lambda e: some_runs(e, *range(21), by=By.PLATFORM),
    ],
    "lifecycle": [lambda e: without(e, "LIFECYCLE.md"), lambda e: with_text(e, "LIFECYCLE.md", "Forever.")],
    "technical-review": [
        lambda e: replace(e, reviews=e.reviews[1:]),
        lambda e: replace(e, reviews=[*e.reviews, review(ReviewKind.TECHNICAL, 3, verdict=ReviewVerdict.REJECT)]),
        lambda e: replace(e, reviews=[review(ReviewKind.TECHNICAL, 1, reviewer="ada"), e.reviews[1]]),
    ],
    "functional-review": [
        lambda e: replace(e, reviews=e.reviews[:1]),
        lambda e: replace(e, reviews=[e.reviews[0], review(ReviewKind.FUNCTIONAL, 2, counts=False)]),
    ],
}
CASES = [(key, mutant) for key, mutants in MUTANTS.items() for mutant in mutants]


def judged(evidence: Evidence) -> Assessment:
    return assess(evidence, shipped_criteria(), cause=Cause.CLOCK)


def test_every_criterion_is_asked_for_and_has_a_mutant() -> None:
    asked = [criterion.key for level in shipped_criteria().levels for criterion in level.criteria]
    assert sorted(asked) == sorted(REGISTRY) == sorted(MUTANTS)
    assert len(asked) == 22


def test_one_version_passes_all() -> None:
    found = judged(perfect())
    assert [one.criterion for one in found.results if not one.met] == []
    assert all(one.told and not one.mend for one in found.results)
    assert found.met is found.level_at(NOW) is MaturityLevel.OPERATIONAL


@pytest.mark.parametrize(("key", "mutant"), CASES, ids=[key for key, _ in CASES])
def test_a_version_that_fails_exactly_one(key: str, mutant: Mutant) -> None:
    found = judged(mutant(perfect()))
    failed = [one for one in found.results if not one.met]
    assert [one.criterion for one in failed] == [key]
    assert failed[0].told
    assert failed[0].mend
    below = failed[0].level.rank - 1
    assert found.met.rank == max(below, 0)


def test_what_nobody_can_help_is_no_failure() -> None:
    spared = [
        {"outcome": RunStatus.ERROR, "platform_fault": True, "error_code": "internal"},
        {"outcome": RunStatus.ERROR, "error_code": "budget-reached"},
        {"outcome": RunStatus.CANCELED},
    ]
    for changes in spared:
        found = judged(some_runs(perfect(), *range(15), **changes))
        assert {one.criterion for one in found.results if not one.met} <= {"cost-calibrated"}, changes


def test_a_version_of_which_nothing_is_known_is_judged_too() -> None:
    bare = Evidence(version=perfect().version, interface=Interface(), now=NOW)
    found = judged(bare)
    assert (found.met, found.level_at(NOW)) == (MaturityLevel.PROTOTYPE, MaturityLevel.PROTOTYPE)
    failed = {one.criterion for one in found.results if not one.met}
    assert failed == set(REGISTRY) - {"overview", "licence", "parameters-exercised"}
    assert all(one.mend for one in found.results if not one.met)


def test_sections_of_a_card() -> None:
    card = "# A\n\nfirst\n\n## Method ##\n\none\n\n### Detail\n\ntwo\n\n~~~\n# no heading\n~~~\n\n##  License \n\nMIT\n"
    found = sections(card)
    assert list(found) == ["a", "method", "detail", "licence"]
    assert "two" in found["method"]
    assert "# no heading" in found["detail"]
    assert found["licence"] == "MIT"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("## Method ##", "method"),
        ("#\tMethod", "method"),
        ("###### Written in C#", "written in c#"),
        ("####### too deep", None),
        ("#no space", None),
        ("# ", None),
        ("## ##", None),
        (" # indented", None),
        ("# " + " " * 200_000 + "x", "x"),
        ("# x" + " #" * 100_000 + "y", None),
    ],
)
def test_what_a_heading_is(line: str, words: str | None) -> None:
    found = sections(f"{line}\ntext")
    assert (list(found) == [words]) if words else (len(line) > 1_000 or list(found) == [])


# Which results still count


def a_round(digest: str, *results: ScenarioResult, days: float = 1, lock: str = "cd" * 32) -> Round:
    at = NOW - timedelta(days=days)
    return Round(
        id=f"round-{days}",
        algorithm_id="a",
        version_digest="sha256:1",
        dossier_digest=digest,
        environment_lock_sha256=lock,
        trigger=Trigger.SCHEDULE,
        asked_by="platform",
        started_at=at,
        ended_at=at,
        results=results,
    )


def test_results_count_while_their_scenario_reads_the_same() -> None:
    moved = scenario("five", parameters={"n": 5})
    first, second = dossier(*SCENARIOS), dossier(SCENARIOS[0], moved, SCENARIOS[2], digest="sha256:d2")
    card = dossier(*SCENARIOS, digest="sha256:d3")
    all_green = a_round("sha256:d1", *(result(one.name) for one in SCENARIOS), days=3)
    known = {"dossiers": [first, second, card], "rounds": [all_green], "lock_sha256": "cd" * 32}
    assert set(latest_results(first, **known)) == {"four", "five", "huge"}
    assert set(latest_results(card, **known)) == {"four", "five", "huge"}, "a new card proves nothing away"
    assert set(latest_results(second, **known)) == {"four", "huge"}, "a changed scenario is yet to be run"
    assert last_green(card, **known) == NOW - timedelta(days=3)
    assert last_green(second, **known) is None
    assert latest_results(first, **{**known, "lock_sha256": "00"}) == {}, "another environment says nothing"
    assert last_green(first, **{**known, "lock_sha256": "00"}) is None


def test_what_says_nothing_leaves_the_earlier_result() -> None:
    first = dossier(*SCENARIOS)
    unknown = a_round(
        "sha256:d1",
        result("four", outcome=ScenarioOutcome.UNKNOWN),
        result("five", outcome=ScenarioOutcome.PASSED_OVER),
        result("huge", outcome=ScenarioOutcome.RED),
        days=1,
    )
    green = a_round("sha256:d1", *(result(one.name) for one in SCENARIOS), days=2)
    known = {"dossiers": [first], "rounds": [green, unknown], "lock_sha256": "cd" * 32}
    outcomes = {name: one.outcome.value for name, one in latest_results(first, **known).items()}
    assert outcomes == {"four": "green", "five": "green", "huge": "red"}
    assert last_green(first, **known) == NOW - timedelta(days=2)


# Criteria files


def shipped() -> dict[str, Any]:
    path = Path(load_criteria.__globals__["__file__"]).parent / "criteria" / "2026-12.yaml"
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    data = shipped()
    change(data)
    return yaml.safe_dump(data)


def at(data: dict[str, Any], level: int) -> list[dict[str, Any]]:
    criteria = data["levels"][level]["criteria"]
    assert isinstance(criteria, list)
    return criteria


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("levels: [", "not YAML"),
        ("\0", "not YAML"),
        ("[]", "is not of type 'object'"),
        ("{}", "'format' is a required property"),
        (changed(lambda data: data.update(format=2)), "$.format: 1 was expected"),
        (changed(lambda data: data.update(version="soon")), "$.version: 'soon' does not match"),
        (changed(lambda data: data.update(version=2026)), "$.version: 2026 is not of type 'string'"),
        (changed(lambda data: data.update(more=1)), "'more' was unexpected"),
        (changed(lambda data: data["levels"].pop()), "is too short"),
        (changed(lambda data: data["levels"].reverse()), "$.levels[0].level: 'prototype' was expected"),
        (changed(lambda data: data["levels"][2].update(fresh_days=0)), "$.levels[2].fresh_days: 0 is less than"),
        (changed(lambda data: data["levels"][2].update(stale_days=3)), "'stale_days' was unexpected"),
        (changed(lambda data: at(data, 0).append({"words": 3})), "'criterion' is a required property"),
        (changed(lambda data: at(data, 0).append({"criterion": "No!"})), "'No!' does not match"),
        (changed(lambda data: at(data, 0).append({"criterion": "magic"})), "prototype: there is no criterion 'magic'"),
        (changed(lambda data: at(data, 1)[0].update(words=3)), "licence: 'words' is no setting of it"),
        (changed(lambda data: at(data, 0)[2].pop("words")), "overview: 'words' is missing"),
        (changed(lambda data: at(data, 0)[2].update(words=1.5)), "overview.words: expected a whole number"),
        (changed(lambda data: at(data, 0)[2].update(words=-1)), "-1 is"),
        (changed(lambda data: at(data, 0)[2].update(words="5")), "'5' is"),
        (changed(lambda data: at(data, 0)[2].update(words=True)), "True is"),
        (changed(lambda data: at(data, 2)[4].update(share=1.5)), "parameters-exercised.share: expected a share"),
        (changed(lambda data: at(data, 2)[4].update(share=["a"])), "parameters-exercised.share: expected a share"),
        (changed(lambda data: at(data, 2)[8].update(sections=3)), "documentation.sections: expected a list of texts"),
        (changed(lambda data: at(data, 0).append(at(data, 0)[0])), "prototype: executable stands there twice"),
    ],
)
def test_criteria_files_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(CriteriaInvalid) as caught:
        load_criteria(path)
    assert str(caught.value).startswith("mine.yaml: ")
    assert told in str(caught.value)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(CriteriaInvalid, match="cannot be read"):
        load_criteria(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(CriteriaInvalid, match="larger than"):
        load_criteria(tmp_path / "large.yaml")


def test_every_fault_of_the_settings_is_told_at_once(tmp_path: Path) -> None:
    def break_two(data: dict[str, Any]) -> None:
        at(data, 0)[2].pop("words")
        at(data, 4)[0]["area"] = 3

    path = tmp_path / "mine.yaml"
    path.write_text(changed(break_two))
    with pytest.raises(CriteriaInvalid, match=r"(?s)overview.*scale: 'area' is no setting"):
        load_criteria(path)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(changed(lambda data: (data.update(version="2027-01a"), at(data, 4).clear())))
    mine = load_criteria(path)
    assert (mine.version, len(mine.levels[4].criteria)) == ("2027-01a", 0)
    assert mine.sha256 != shipped_criteria().sha256
    lone = assess(replace(perfect(), reviews=[]), mine, cause=Cause.CRITERIA)
    assert lone.met is MaturityLevel.OPERATIONAL


def test_settings_are_made_once() -> None:
    assert make("scenarios", {"least": 2}) == make("scenarios", {"least": 2})
    with pytest.raises(SettingsInvalid, match="there is no criterion"):
        make("nothing", {})
