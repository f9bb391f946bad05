"""Maturity over HTTP and over each database: from nothing to operational, a fall with its reason, expiry, reviews."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath.contract.comparison import Comparison, Verdict
from swath.contract.interface import Interface
from swath_marketplace.criteria_files import CriteriaInvalid, shipped_criteria
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.assessments import Cause
from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import ReviewKind, ReviewVerdict
from swath_marketplace.domain.runs import PLATFORM, Run, RunPurpose, RunStatus
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.services.runs import PLATFORM_ACTOR, RunRequest
from swath_marketplace.store.assessments import AssessmentStore, ReviewStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.run_facts import RunFacts
from swath_marketplace.testing import PREFIX, World, make_world, notebook, operator, user

PATH = "algorithms/ada/double/versions/1.0.0"
REFERENCE = b'{"value": 8}'
SHA256 = hashlib.sha256(REFERENCE).hexdigest()
SECTIONS = (
    "What it does",
    "Method",
    "Parameters",
    "Outputs",
    "Limits",
    "Validation",
    "Cost and scale",
    "Licence",
    "Contact",
)
CARD = "# Double\n\n" + "".join(f"## {one}\n\nThree words suffice.\n\n" for one in SECTIONS)
CARD += "## References\n\nTucker (1979), https://doi.org/10.1016/0034-4257(79)90013-0\n"
#: Box and period: 12,309 km² x 30 days.
BOX = {"west": 0.0, "south": 0.0, "east": 1.0, "north": 1.0}
PARAMETERS = (
    "from swath import BBox, TemporalInterval\n# How many\nn: int = 3\n# Where\narea: BBox | None = None\n"
    "# When\nperiod: TemporalInterval | None = None"
)
SAME = Comparison(verdict=Verdict.IDENTICAL, kind="json", message="the same")
APART = Comparison(verdict=Verdict.DIFFERS, kind="json", message="$.value is 9 and not 8")
LONG = "I read it from the first cell to the last and tried three fields."


def scenario(n: int, *, sha256: str = SHA256) -> bytes:
    given = {"n": n, "area": BOX, "period": ["2023-04-01", "2023-05-01"]}
    expected = {"double": {"reference": f"references/of-{n}/double.json", "sha256": sha256}}
    return json.dumps({"title": f"{n} doubled", "parameters": given, "outputs": expected}).encode()


FILES = {
    "README.md": CARD.encode(),
    "LIFECYCLE.md": ("Kept up for two years. " * 10).encode(),
    "validation.md": ("Held against an independent computation; off by nothing. " * 20).encode(),
    "scenarios/of-4.json": scenario(4),
    "scenarios/of-5.json": scenario(5),
    "scenarios/text.json": b'{"title": "no number", "parameters": {"n": "x"}, "refused": {"code": "invalid"}}',
    "references/of-4/double.json": REFERENCE,
    "references/of-5/double.json": REFERENCE,
}


@dataclass
class ScriptedRounds:
    """Rounds as a test wants them."""

    made: list[Round] = field(default_factory=list)

    def of(self, algorithm_id: str, digest: str, *, limit: int | None = None) -> Sequence[Round]:
        return [one for one in self.made if (one.algorithm_id, one.version_digest) == (algorithm_id, digest)]


@dataclass
class Shifted:
    """A clock that a test sets forward."""

    by: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


def running(_: Run, folder: RunFolder) -> Any:
    """A run that tells what it does, as the runner writes it."""
    events: list[dict[str, Any]] = [{"type": "cell-end", "cell": 0}]
    events += [{"type": "progress", "fraction": n / 4, "message": f"step {n}"} for n in (1, 2, 3)]
    at = datetime.now(UTC).isoformat()
    lines = [json.dumps({"seq": seq, "at": at, **event}) + "\n" for seq, event in enumerate(events)]
    (folder.out / "events.jsonl").write_text("".join(lines))
    write_report(folder, outputs={"double": REFERENCE})
    return process_end(cpu_seconds=1)


@pytest.fixture
def rounds() -> ScriptedRounds:
    return ScriptedRounds()


@pytest.fixture
def clock() -> Shifted:
    return Shifted()


@pytest.fixture
def world(data: Path, database_url: str, rounds: ScriptedRounds, clock: Shifted) -> Iterator[World]:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=running)
    made = make_world(
        data,
        database_url=database_url,
        executor=executor,
        rounds=rounds,
        clock=clock,
        slots_cpus=8,
        slots_memory_mb=16_384,
        runs_per_caller=8,
        reviewers=" eve , fay,",
    )
    made.identity.actors |= {name: user(name) for name in ("eve", "fay", "gil")}
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        body = {
            "notebook": notebook(parameters=PARAMETERS, summary="Doubles a number that is given"),
            "version": "1.0.0",
        }
        made = await client.post("algorithms", json=body, headers=as_("ada"))
        assert made.status_code == 201, made.text
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def put(http: httpx.AsyncClient, files: Mapping[str, bytes]) -> None:
    parts = [("files", (path, content)) for path, content in files.items()]
    answer = await http.put(f"{PATH}/dossier", files=parts, headers=as_("ada"))
    assert answer.status_code in (200, 201), answer.text


async def maturity(http: httpx.AsyncClient, *, who: str = "bob") -> dict[str, Any]:
    answer = await http.get(f"{PATH}/maturity", headers=as_(who))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert isinstance(told, dict)
    return told


async def run(http: httpx.AsyncClient, world: World, who: str, times: int = 1) -> None:
    given = {"n": 4, "area": BOX, "period": ["2023-04-01", "2023-05-01"]}
    for _ in range(times):
        if who == PLATFORM:
            asked = RunRequest(algorithm="ada/double", parameters=given, purpose=RunPurpose.BENCHMARK)
            world.look_until(world.runs.create(PLATFORM_ACTOR, asked)[0].id)
            continue
        made = await http.post("runs", json={"algorithm": "ada/double", "parameters": given}, headers=as_(who))
        assert made.status_code == 201, made.text
        world.look_until(made.json()["id"])


async def review(http: httpx.AsyncClient, who: str, **changes: Any) -> httpx.Response:
    body = {"kind": "technical", "verdict": "approve", "text": LONG, **changes}
    return await http.post(f"{PATH}/reviews", json=body, headers=as_(who))


def version_of(world: World) -> AlgorithmVersion:
    version = world.registry.version(user("bob"), "ada/double@1.0.0")
    assert isinstance(version, AlgorithmVersion)
    return version


def a_round(world: World, clock: Shifted, *, of_4: Mapping[str, Any] | None = None) -> Round:
    """A round over the latest dossier, green but for what `of_4` says."""
    version = version_of(world)
    _, dossier = world.made.context.dossiers.get(user("ada"), "ada/double@1.0.0")
    done = [
        ScenarioResult(
            scenario=f"of-{n}",
            outcome=ScenarioOutcome.GREEN,
            message="every output is as its reference",
            run_ids=(f"{n}a", f"{n}b"),
            comparisons={"double": SAME},
            repeated={"double": SAME},
            cost_millicredits=500,
        )
        for n in (4, 5)
    ]
    refused = ScenarioResult(scenario="text", outcome=ScenarioOutcome.GREEN, message="refused as it has to be")
    return Round(
        id=f"r{clock().timestamp()}",
        algorithm_id=version.algorithm_id,
        version_digest=version.digest,
        dossier_digest=dossier.digest,
        environment_lock_sha256=version.environment_lock_sha256,
        trigger=Trigger.SCHEDULE,
        asked_by="platform",
        started_at=clock(),
        ended_at=clock(),
        results=(replace(done[0], **(of_4 or {})), done[1], refused),
    )


def have(world: World, rounds: ScriptedRounds, made: Round) -> None:
    """A round has ended: it is stored, and its listeners are told."""
    rounds.made.append(made)
    world.made.assessor.on_round(made, version_of(world))


async def verified(http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted) -> None:
    await put(http, {name: FILES[name] for name in FILES if name != "validation.md"})
    await run(http, world, PLATFORM, 5)
    have(world, rounds, a_round(world, clock))
    told = await maturity(http)
    assert told["level"] == "verified", told["next"]


# The level


async def test_from_nothing_to_operational(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    fresh = await maturity(http)
    assert (fresh["level"], fresh["reason"], fresh["may_earn"]) == ("prototype", "earned", False)
    assert fresh["message"] == "prototype is where every version begins"
    assert [one["criterion"] for one in fresh["next"]["missing"] if one["level"] == "prototype"] == [
        "executable",
        "basic-logging",
    ]
    assert all(one["mend"] for one in fresh["next"]["missing"])

    await verified(http, world, rounds, clock)
    told = await maturity(http)
    assert (told["next"]["level"], told["may_earn"]) == ("validated", True)
    assert [one["criterion"] for one in told["next"]["missing"]] == ["validation-report"]
    assert datetime.fromisoformat(told["expires_at"]) == rounds.made[-1].ended_at + timedelta(days=30)

    await put(http, FILES)
    assert (await maturity(http))["level"] == "validated", "a file is enough, nobody is asked"

    await run(http, world, "bob", 12)
    await run(http, world, "cyd", 8)
    assert (await review(http, "eve")).status_code == 201
    assert (await review(http, "root", kind="functional")).status_code == 201
    clock.by = timedelta(hours=1)
    told = await maturity(http)
    assert (told["level"], told["next"]) == ("operational", None)
    assert (await http.get(PATH, headers=as_("bob"))).json()["maturity"] == "operational"
    whole = (await http.get("algorithms/ada/double", headers=as_("bob"))).json()
    assert (whole["maturity"], whole["versions"][0]["maturity"]) == ("operational", "operational")
    listed = (await http.get("algorithms", headers=as_("bob"))).json()["algorithms"]
    assert [one["maturity"] for one in listed] == ["operational"]


async def test_an_assessment_is_bound_to_what_it_was_made_of(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await verified(http, world, rounds, clock)
    _, dossier = world.made.context.dossiers.get(user("ada"), "ada/double@1.0.0")
    version = version_of(world)
    made = (await maturity(http))["assessment"]
    assert made["version_digest"] == version.digest
    assert made["dossier_digest"] == dossier.digest
    assert made["environment_lock_sha256"] == version.environment_lock_sha256
    assert made["criteria"] == {"version": "2026-12", "sha256": shipped_criteria().sha256}
    page = (await http.get(f"{PATH}/assessments", headers=as_("bob"))).json()
    assert page["assessments"][0] == made
    assert [one["cause"] for one in page["assessments"]] == ["round", "dossier", "publish"]
    assert [one["number"] for one in page["assessments"]] == [3, 2, 1]
    benchmarks = next(one for one in made["results"] if one["criterion"] == "benchmarks")
    assert benchmarks["evidence"]["green"] == ["of-4", "of-5"]


async def test_a_broken_benchmark_demotes_with_a_reason_and_mended_it_rises(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await verified(http, world, rounds, clock)
    price = {"per": "run", "millicredits": 500}
    assert (await http.put("algorithms/ada/double/price", json=price, headers=as_("ada"))).status_code == 200
    quote = {"algorithm": "ada/double", "parameters": {}}
    assert (await http.post("quotes", json=quote, headers=as_("bob"))).json()["added_value"]["maturity"] == "verified"
    red = {
        "outcome": ScenarioOutcome.RED,
        "message": "output double differs from its reference: $.value is 9 and not 8",
        "comparisons": {"double": APART},
    }
    clock.by = timedelta(days=1)
    have(world, rounds, a_round(world, clock, of_4=red))
    told = await maturity(http)
    assert (told["level"], told["reason"]) == ("incubating", "fell")
    assert f"fell from verified on {clock():%Y-%m-%d}: " in told["message"]
    assert "of-4: output double differs from its reference: $.value is 9 and not 8" in told["message"]
    missing = next(one for one in told["next"]["missing"] if one["criterion"] == "benchmarks")
    assert missing["evidence"]["broken"]["of-4"]["outputs"] == {"double": "differs"}
    assert (await http.post("quotes", json=quote, headers=as_("bob"))).json()["added_value"] is None
    refused = await http.put("algorithms/ada/double/price", json={**price, "millicredits": 9}, headers=as_("ada"))
    assert (refused.status_code, refused.json()["code"]) == (409, "not-mature")

    clock.by = timedelta(days=2)
    have(world, rounds, a_round(world, clock))
    assert ((await maturity(http))["level"], (await maturity(http))["reason"]) == ("verified", "earned")
    assert (await http.post("quotes", json=quote, headers=as_("bob"))).json()["added_value"] is not None


async def test_a_reference_that_is_moved_is_proven_anew(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await verified(http, world, rounds, clock)
    kept = {name: FILES[name] for name in FILES if name != "validation.md"}
    moved = b'{"value": 8.2}'
    scenario_ = scenario(4, sha256=hashlib.sha256(moved).hexdigest())
    await put(http, {**kept, "scenarios/of-4.json": scenario_, "references/of-4/double.json": moved})
    unproven = await maturity(http)
    assert (unproven["level"], unproven["reason"]) == ("incubating", "fell")
    red = {"outcome": ScenarioOutcome.RED, "message": "differs", "comparisons": {"double": APART}}
    have(world, rounds, a_round(world, clock, of_4=red))
    assert "of-4: differs" in (await maturity(http))["message"]
    await put(http, kept)
    assert (await maturity(http))["level"] == "verified", "what it is now was proven before"


async def test_it_expires_by_the_clock(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await verified(http, world, rounds, clock)
    clock.by = timedelta(days=30) - timedelta(minutes=5)
    assert (await maturity(http))["level"] == "verified"
    clock.by = timedelta(days=30)
    expired = await maturity(http)
    assert (expired["level"], expired["reason"]) == ("incubating", "expired")
    assert [one["criterion"] for one in expired["next"]["missing"]] == ["fresh-round"]
    assert (await http.get(PATH, headers=as_("bob"))).json()["maturity"] == "incubating", (
        "also where nothing is assessed"
    )
    have(world, rounds, a_round(world, clock))
    assert (await maturity(http))["level"] == "verified"


async def test_a_mark_is_a_ceiling(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await verified(http, world, rounds, clock)
    for level, expected in (("operational", "verified"), ("prototype", "prototype"), ("verified", "verified")):
        body = {"level": level, "reason": "a recall"}
        assert (await http.put(f"{PATH}/maturity", json=body, headers=as_("root"))).status_code == 200
        told = await maturity(http)
        assert told["level"] == expected
        assert (await http.get(PATH, headers=as_("bob"))).json()["maturity"] == expected
    assert len(told["marks"]) == 3


def test_an_operator_may_let_marks_raise(data: Path, database_url: str) -> None:
    made = make_world(data, database_url=database_url, marks_raise=True)
    try:
        published = made.registry.publish(user("ada"), notebook(), version="1.0.0")
        made.made.context.maturity.mark(operator(), "ada/double@1.0.0", level=MaturityLevel.VERIFIED, reason="seen")
        assert made.made.context.maturity.level_of(published.version) is MaturityLevel.VERIFIED
    finally:
        made.made.database.dispose()


# What runs show


async def test_whose_runs_they_are_and_how_large(http: httpx.AsyncClient, world: World) -> None:
    version, facts = version_of(world), RunFacts(world.made.database)
    interface = Interface.from_dict(version.interface)
    assert (list(facts.of(version, limit=9)), facts.largest(version, interface)) == ([], None)
    for who in ("bob", "ada", PLATFORM, "cyd"):
        await run(http, world, who)
    found = facts.of(version, limit=9)
    told = {"bob": "others", "ada": "author", PLATFORM: "platform", "cyd": "others"}
    assert {one.caller: one.by.value for one in found} == told
    assert all(one.cost_millicredits and one.outcome is RunStatus.FINISHED for one in found)
    assert [one.caller for one in facts.of(version, limit=1)] == ["cyd"], "the newest first"
    with world.made.database.write() as connection:
        connection.execute(sa.text("UPDATE runs SET purpose = 'reproduction' WHERE caller = 'cyd'"))
        connection.execute(sa.text("UPDATE runs SET settlement = 'refused' WHERE caller = 'bob'"))
    told = {"ada": "author", PLATFORM: "platform", "cyd": "platform"}
    assert {one.caller: one.by.value for one in facts.of(version, limit=9)} == told
    largest = facts.largest(version, interface)
    assert largest is not None
    assert largest.area_km2 == pytest.approx(12_308.8, rel=1e-3)
    assert largest.days == 30
    assert facts.largest(version, replace(interface, parameters=interface.parameters[:2])).days == 1  # type: ignore[union-attr]
    # Only what is an extent by its type, whatever it is called.
    assert facts.largest(version, replace(interface, parameters=interface.parameters[:1])) is None


async def test_a_number_called_area_is_no_area(http: httpx.AsyncClient, world: World) -> None:
    parameters = "# Of it\narea_km2: float = 1e9\n# Of it\ndays: float = 1e6"
    published = world.registry.publish(user("ada"), notebook("x = 1", parameters=parameters, name="boast")).version
    made = await http.post("runs", json={"algorithm": "ada/boast", "parameters": {}}, headers=as_("bob"))
    assert made.json()["status"], made.text
    world.look_until(made.json()["id"])
    facts = RunFacts(world.made.database)
    assert [one.caller for one in facts.of(published, limit=9)] == ["bob"]
    assert facts.largest(published, Interface.from_dict(published.interface)) is None


# Assessments


def test_nothing_new_is_nothing_stored(world: World) -> None:
    published = world.registry.publish(user("ada"), notebook(name="other"), version="1.0.0").version
    store, assessor = AssessmentStore(world.made.database), world.made.assessor
    for cause in (Cause.CLOCK, Cause.ROUND, Cause.CLOCK):
        assessor.assess(published, cause)
    found, total = store.of(published)
    assert (total, [one.cause for one in found]) == (1, [Cause.PUBLISH])
    again, created = store.add(replace(found[0], cause=Cause.CLOCK))
    assert (again, created) == (found[0], False)


def test_many_who_assess_at_once_store_it_once(world: World) -> None:
    published = world.registry.publish(user("ada"), notebook(name="other"), version="1.0.0").version
    store = AssessmentStore(world.made.database)
    last = store.telling(published)[-1]
    with ThreadPoolExecutor(8) as pool:
        wanted = [replace(last, dossier_digest=f"sha256:{number % 2}") for number in range(16)]
        made = list(pool.map(lambda one: store.add(one)[0], wanted))
    found, total = store.of(published)
    assert sorted(one.sequence for one in found) == list(range(1, total + 1))
    assert {one.sequence for one in made} == set(range(2, total + 1))
    # Whoever says what the latest says adds nothing, so two neighbours never say the same.
    says = [one.says for one in found]
    assert all(one != other for one, other in pairwise(says))


def test_what_is_stored_is_what_was_found(world: World) -> None:
    published = world.registry.publish(user("ada"), notebook(name="other"), version="1.0.0").version
    made = world.made.assessor.assess(published, Cause.CLOCK)
    # Another store, which remembers nothing.
    store = AssessmentStore(world.made.database)
    assert store.telling(published) == (made,)
    assert store.latest([published]) == {(published.algorithm_id, published.digest): made}
    assert store.latest([]) == {}


def test_the_telling_ones_are_found_among_many(world: World) -> None:
    published = world.registry.publish(user("ada"), notebook(name="other"), version="1.0.0").version
    for level in ("verified", "operational", "incubating"):
        world.prove("ada/other@1.0.0", MaturityLevel(level))
    store = AssessmentStore(world.made.database)
    last = store.telling(published)[-1]
    for number in range(3):
        store.add(replace(last, green_at=datetime.now(UTC), at=last.at + timedelta(days=number)))
    assert [one.sequence for one in store.telling(published)] == [3, 4, 7]
    told = world.made.context.maturity.get(user("bob"), "ada/other@1.0.0").standing
    assert told.told.startswith("fell from operational on ")


def test_both_tables_are_only_added_to(world: World, database_url: str) -> None:
    published = world.registry.publish(user("ada"), notebook(name="other"), version="1.0.0").version
    world.made.context.maturity.review(
        user("eve"), "ada/other@1.0.0", kind=ReviewKind.TECHNICAL, verdict=ReviewVerdict.APPROVE, text=LONG
    )
    assert ReviewStore(world.made.database).of(published)
    database = Database(database_url)
    for table in ("assessments", "reviews"):
        for statement in (f"UPDATE {table} SET sequence = 9", f"DELETE FROM {table}"):
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as connection:
                connection.execute(sa.text(statement))
    database.dispose()


async def test_the_clock_makes_up_for_what_was_missed(
    http: httpx.AsyncClient, world: World, rounds: ScriptedRounds, clock: Shifted
) -> None:
    await put(http, FILES)
    await run(http, world, PLATFORM, 5)
    # Stored, and the process died before anybody was told.
    rounds.made.append(a_round(world, clock))
    assert (await maturity(http))["level"] == "prototype"
    world.made.assessments.look()
    assert (await maturity(http))["level"] == "prototype", "looked at within the hour"
    clock.by = timedelta(hours=1)
    world.made.assessments.look()
    page = (await http.get(f"{PATH}/assessments", headers=as_("bob"))).json()["assessments"]
    assert (page[0]["meets"], page[0]["cause"]) == ("validated", "clock")


def test_other_criteria_assess_anew(data: Path, database_url: str, tmp_path: Path) -> None:
    first = make_world(data, database_url=database_url)
    published = first.registry.publish(user("ada"), notebook(), version="1.0.0").version
    first.made.database.dispose()
    levels = [
        {
            "level": level.value,
            "criteria": [{"criterion": "licence"}] if level.rank < 3 else [{"criterion": "executable"}],
        }
        for level in MaturityLevel
    ]
    mine = tmp_path / "mine.yaml"
    mine.write_text(json.dumps({"format": 1, "version": "2027-01", "levels": levels}))
    second = make_world(data, database_url=database_url, criteria=mine)
    try:
        second.made.assessments.look()
        found, total = AssessmentStore(second.made.database).of(published)
        assert (total, found[0].cause, found[0].criteria_version) == (2, Cause.CRITERIA, "2027-01")
        assert second.made.context.maturity.level_of(published) is MaturityLevel.VERIFIED
    finally:
        second.made.database.dispose()
    mine.write_text("levels: []")
    with pytest.raises(CriteriaInvalid, match=r"mine\.yaml: "):
        make_world(data, database_url=database_url, criteria=mine)


# Reviews


async def test_only_the_operators_reviewers_count(http: httpx.AsyncClient, world: World) -> None:
    answers = [await review(http, who) for who in ("eve", "root", "gil")]
    assert [(one.status_code, one.json()["counts"]) for one in answers] == [(201, True), (201, True), (201, False)]
    again = await review(http, "eve")
    assert (again.status_code, again.json()) == (200, answers[0].json()), "the same words are one review"
    await review(http, "eve", verdict="reject")
    told = await maturity(http)
    assert [one["reviewer"] for one in told["reviews"]] == ["eve", "root", "gil", "eve"]
    result = next(one for one in told["assessment"]["results"] if one["criterion"] == "technical-review")
    assert result["evidence"] == {"approved_by": ["root"], "rejected_by": ["eve"]}
    await review(http, "eve")
    told = await maturity(http)
    result = next(one for one in told["assessment"]["results"] if one["criterion"] == "technical-review")
    assert (result["met"], result["evidence"]["approved_by"]) == (True, ["root", "eve"])


@pytest.mark.parametrize(
    ("who", "changes", "status", "told"),
    [
        ("ada", {}, 403, "own-version"),
        ("robot", {}, 403, "users-only"),
        ("eve", {"text": "too short"}, 422, "text"),
        ("eve", {"text": "x" + " " * 60}, 422, "text"),
        ("eve", {"text": "x" * 10_001}, 422, "text"),
        ("eve", {"text": "\x07" + LONG}, 422, "text"),
        ("eve", {"text": 5}, 422, "text"),
        ("eve", {"kind": "aesthetic"}, 422, "kind"),
        ("eve", {"verdict": "maybe"}, 422, "verdict"),
        ("eve", {"stars": 5}, 422, "stars"),
    ],
)
async def test_reviews_that_are_none(
    http: httpx.AsyncClient, world: World, who: str, changes: dict[str, Any], status: int, told: str
) -> None:
    refused = await review(http, who, **changes)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    if status == 422:
        assert told in str(refused.json()["findings"])
    else:
        assert refused.json()["code"] == told
    assert ReviewStore(world.made.database).of(version_of(world)) == []


async def test_a_review_names_one_version(http: httpx.AsyncClient, world: World) -> None:
    body = {"kind": "technical", "verdict": "approve", "text": LONG}
    ranged = await http.post("algorithms/ada/double/versions/%5E1/reviews", json=body, headers=as_("eve"))
    assert (ranged.status_code, ranged.json()["code"]) == (422, "not-a-version")
    unknown = await http.post("algorithms/ada/double/versions/2.0.0/reviews", json=body, headers=as_("eve"))
    assert unknown.status_code == 404
    assert ReviewStore(world.made.database).of(version_of(world)) == []


async def test_who_may_only_read_says_nothing(http: httpx.AsyncClient, world: World) -> None:
    world.identity.actors["eve"] = user("eve", scopes={"custom:swath:read"})
    assert (await review(http, "eve")).status_code == 403
    assert (await maturity(http, who="eve"))["level"] == "prototype"
