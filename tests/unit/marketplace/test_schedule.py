"""Which versions are benchmarked, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from swath.contract.semver import VersionRange
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.benchmarks import Order, Round, RoundState, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.breaks import changes
from swath_marketplace.domain.catalogue import best
from swath_marketplace.domain.schedule import due, listed, next_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def version(number: str, *, yanked: bool = False) -> AlgorithmVersion:
    return AlgorithmVersion(
        algorithm_id="a",
        owner="ada",
        name="x",
        version=number,
        digest=f"sha256:{number}",
        notebook_sha256="0",
        interface={},
        metadata={},
        environment="eo",
        environment_lock_sha256="0",
        resources=Resources(),
        published_at=NOW,
        yanked_at=NOW if yanked else None,
        yank_reason="bad" if yanked else None,
    )


def order(**changed: Any) -> Order:
    values: dict[str, Any] = {
        "id": "r",
        "algorithm_id": "a",
        "owner": "ada",
        "name": "x",
        "version": "1.0.0",
        "version_digest": "v",
        "dossier_digest": "d",
        "environment_lock_sha256": "e",
        "trigger": Trigger.SCHEDULE,
        "asked_by": "platform",
        "asked_at": NOW,
        **changed,
    }
    return Order(**values)


def ended(*outcomes: ScenarioOutcome, at: datetime = NOW) -> tuple[Order, Round]:
    results = tuple(
        ScenarioResult(scenario=f"s{place}", outcome=one, message="what came") for place, one in enumerate(outcomes)
    )
    asked = order(state=RoundState.ENDED, started_at=at, ended_at=at)
    return asked, asked.as_round(results, ended_at=at)


def test_every_range_ends_at_a_listed_version() -> None:
    numbers = ["0.1.0", "0.1.5", "0.2.0", "1.0.0", "1.0.9", "1.1.0", "1.2.0", "2.0.0", "2.1.0-rc.1"]
    versions = [version(number, yanked=number in {"1.2.0", "1.0.9"}) for number in numbers]
    found = {one.version for one in listed(versions)}
    assert found == {"0.1.5", "0.2.0", "1.0.0", "1.1.0", "2.0.0"}
    for text in ("latest", "^0.1", "0", "^1", "1.0", "~1.0.0", ">=1,<2", "2", "*"):
        reached = best(versions, VersionRange.parse(text))
        assert reached is not None
        assert reached.version in found, text


def test_a_prerelease_is_listed_where_there_is_nothing_else() -> None:
    assert [one.version for one in listed([version("1.0.0-rc.1"), version("1.0.0-rc.2")])] == ["1.0.0-rc.2"]
    assert listed([version("1.0.0", yanked=True)]) == []


@pytest.mark.parametrize(
    ("after", "outcome", "is_due"),
    [
        (timedelta(hours=23, minutes=59), ScenarioOutcome.GREEN, False),
        (DAY, ScenarioOutcome.GREEN, True),
        (timedelta(hours=1), ScenarioOutcome.RED, False),
        # The platform was at fault: it tries again sooner.
        (timedelta(minutes=59), ScenarioOutcome.UNKNOWN, False),
        (timedelta(hours=1), ScenarioOutcome.UNKNOWN, True),
        # It is dated ahead of the clock, which was put back.
        (-timedelta(minutes=1), ScenarioOutcome.GREEN, True),
        (-400 * DAY, ScenarioOutcome.GREEN, True),
    ],
)
def test_due_by_the_clock(after: timedelta, outcome: ScenarioOutcome, is_due: bool) -> None:
    last, known = ended(outcome)
    assert due(last, [known], dossier_digest="d", now=NOW + after, period=DAY) is is_due


@pytest.mark.parametrize(("spoilt", "hours"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (8, 24)])
def test_what_the_platform_keeps_spoiling_is_tried_less_often(spoilt: int, hours: int) -> None:
    _, good = ended(ScenarioOutcome.GREEN, at=NOW - 9 * DAY)
    last, bad = ended(ScenarioOutcome.UNKNOWN)
    rounds, after = [good, *[bad] * spoilt], timedelta(hours=hours)
    assert due(last, rounds, dossier_digest="d", now=NOW + after, period=DAY)
    assert not due(last, rounds, dossier_digest="d", now=NOW + after - timedelta(seconds=1), period=DAY)


def test_a_new_dossier_is_due_and_an_open_round_is_not() -> None:
    assert due(None, [], dossier_digest="d", now=NOW, period=DAY)
    last, known = ended(ScenarioOutcome.GREEN)
    assert due(last, [known], dossier_digest="another", now=NOW, period=DAY)
    assert not due(order(), [], dossier_digest="d", now=NOW + 9 * DAY, period=DAY)


def test_what_somebody_waits_for_comes_first() -> None:
    waiting = [
        order(id="1", trigger=Trigger.SCHEDULE, asked_at=NOW),
        order(id="2", trigger=Trigger.ASKED, asked_at=NOW + DAY),
        order(id="3", trigger=Trigger.PUBLISH, asked_at=NOW + timedelta(hours=1)),
    ]
    chosen = []
    while waiting:
        one = next_of(waiting)
        assert one is not None
        chosen.append(one.id)
        waiting.remove(one)
    assert chosen == ["3", "2", "1"]
    assert next_of([]) is None


def test_a_clock_that_is_put_back_ends_no_round_before_it_began() -> None:
    going = order(state=RoundState.RUNNING, started_at=NOW)
    assert going.as_round((), ended_at=NOW - DAY).ended_at == NOW
    with pytest.raises(ValueError, match="never began"):
        order().as_round((), ended_at=NOW)


def test_breaks_open_once_and_close_when_green_or_withdrawn() -> None:
    red, green = ScenarioOutcome.RED, ScenarioOutcome.GREEN
    history = [(red, red), (red, green), (red,), (ScenarioOutcome.UNKNOWN,), (ScenarioOutcome.PASSED_OVER,), (green,)]
    still_open: dict[str, Any] = {}
    seen = []
    for number, outcomes in enumerate(history):
        asked, known = ended(*outcomes)
        found = changes(replace(asked, id=f"r{number}"), known.results, still_open=still_open, at=NOW)
        seen.append(
            (
                [one.scenario for one in found.opened],
                [(one.scenario, one.closed_why) for one in found.closed],
                [one.kind.value for one in found.notices],
            )
        )
        still_open |= {one.scenario: one for one in found.opened}
        for one in found.closed:
            del still_open[one.scenario]
    assert seen == [
        (["s0", "s1"], [], ["benchmark-broken"] * 2),
        ([], [("s1", "green")], ["benchmark-mended"]),
        ([], [], []),
        ([], [], []),
        ([], [], []),
        ([], [("s0", "green")], ["benchmark-mended"]),
    ]


def test_a_scenario_that_is_gone_closes_its_break_without_a_word() -> None:
    first, known = ended(ScenarioOutcome.RED, ScenarioOutcome.RED)
    opened = changes(first, known.results, still_open={}, at=NOW).opened
    found = changes(first, known.results[:1], still_open={one.scenario: one for one in opened}, at=NOW)
    assert [(one.scenario, one.closed_why) for one in found.closed] == [("s1", "withdrawn")]
    assert found.notices == ()
    assert all(a.id != b.id for a, b in pairwise(opened))
