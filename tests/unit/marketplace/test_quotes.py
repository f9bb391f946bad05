"""Quotes of runs: told before, held by, learnt from after, over a fake executor and a fake quota service."""

from __future__ import annotations

from typing import Any

import pytest
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.executors.fake import finishing, process_end
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, notebook, user
from swath_quota.client import HoldStatus, Observation, ObservationDiffers, PurposeKind
from swath_service.errors import Forbidden, Invalid, NotFound, Unavailable

ADA, BOB = user("ada"), user("bob")
CEILING = 375 + 500 + 2000


@pytest.fixture(autouse=True)
def _published(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.0.0")


def request(**more: Any) -> RunRequest:
    return RunRequest(**{"algorithm": "ada/double@^1", "parameters": {"n": 3}, **more})


def run(world: World, **more: Any) -> Run:
    return world.runs.create(BOB, request(**more))[0]


def teach(world: World, count: int = 12) -> None:
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=30)
    for _ in range(count):
        assert world.look_until(run(world).id).status is RunStatus.FINISHED


def test_the_first_quote_is_the_ceiling(world: World) -> None:
    version, offer = world.runs.quote(BOB, request())
    assert version.path == "ada/double"
    assert (offer.hold, offer.ceiling) == (CEILING, CEILING)
    assert offer.estimate.basis == "cold-start"
    wallet = world.quota.wallet("bob")
    assert (wallet.held, wallet.available) == (0, wallet.balance), "nothing is held"
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 0


def test_past_runs_make_the_hold_smaller(world: World) -> None:
    teach(world)
    asked = world.runs.quote(BOB, request())[1]
    assert asked.estimate.basis == "history"
    assert 2000 < asked.estimate.p50 <= asked.hold < CEILING
    made = run(world)
    # At least what two endings take: less, and it would be asked to checkpoint as it starts.
    assert made.estimate.hold <= made.quote_millicredits == asked.hold
    assert (made.ceiling_millicredits, made.features) == (CEILING, {"n": 3.0})
    hold = world.quota.get_hold(made.hold_id)
    assert hold is not None
    assert hold.amount == made.quote_millicredits
    stored = world.run(made.id)
    assert (stored.estimate, stored.features) == (made.estimate, made.features)
    assert world.look_until(made.id).cost_millicredits <= made.estimate.upper


def test_what_a_run_used_is_compared_with_its_quote(world: World) -> None:
    teach(world, 8)
    told = world.quota.coverage()
    assert (told.overall.quotes, told.overall.upper_held) == (8, 1.0)
    assert told.subjects[0].subject.startswith("sha256:")
    assert 0 < told.overall.cold_starts < 1


def test_parameters_beyond_what_was_seen_are_held_to_the_limit(world: World) -> None:
    teach(world)
    offer = world.runs.quote(BOB, request(parameters={"n": 4000}))[1]
    assert offer.hold == CEILING
    assert "n" in offer.estimate.explanation


def test_a_budget_caps_the_hold_and_is_kept(world: World) -> None:
    made = run(world, budget_millicredits=2100)
    assert (made.quote_millicredits, made.budget_millicredits, made.ceiling_millicredits) == (2100, 2100, CEILING)
    assert world.quota.wallet("bob").held == 2100
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=3600)
    assert world.look_until(made.id).cost_millicredits == 2100
    assert run(world, budget_millicredits=10**9).quote_millicredits <= CEILING


@pytest.mark.parametrize("ask", ["quote", "create"])
def test_a_budget_with_which_nothing_can_be_done_is_refused(world: World, ask: str) -> None:
    with pytest.raises(Invalid) as refused:
        getattr(world.runs, ask)(BOB, request(budget_millicredits=2000))
    least = refused.value.extra["least_millicredits"]
    assert refused.value.code == "budget-too-small"
    assert 2000 < least < CEILING
    assert run(world, budget_millicredits=least).quote_millicredits == least
    with pytest.raises(Invalid):
        getattr(world.runs, ask)(BOB, request(budget_millicredits=least - 1))
    assert refused.value.findings[0]["field"] == "budget_millicredits"


def test_a_quote_checks_what_a_run_checks(world: World) -> None:
    with pytest.raises(Invalid) as wrong:
        world.runs.quote(BOB, request(parameters={"n": "x", "q": 1}))
    assert {finding["field"] for finding in wrong.value.findings} == {"n", "q"}
    with pytest.raises(NotFound):
        world.runs.quote(BOB, request(algorithm="ada/none"))
    with pytest.raises(Forbidden):
        world.runs.quote(user("bob", scopes=[]), request())


def test_without_a_quote_the_limits_are_held(world: World) -> None:
    run(world)
    world.quota.quote = _raise(Unavailable(code="quota-unreachable", message="no", mend=""))
    made = run(world)
    assert (made.estimate, made.quote_millicredits) == (None, CEILING)
    assert world.look_until(made.id).status is RunStatus.FINISHED


def test_a_run_is_settled_again_until_what_it_used_is_stored(world: World) -> None:
    told: list[Observation] = []
    observe = world.quota.observe

    def failing(observation: Observation) -> None:
        told.append(observation)
        if len(told) < 3:
            raise Unavailable(code="quota-unreachable", message="no", mend="")
        observe(observation)

    world.quota.observe = failing  # type: ignore[method-assign]
    done = world.look_until(run(world).id)
    assert done.status is RunStatus.FINISHED
    assert len(told) == 3
    assert len({(one.id, tuple(one.usage.items())) for one in told}) == 1
    hold = world.quota.get_hold(done.hold_id)
    assert hold is not None
    assert hold.status is HoldStatus.CAPTURED
    seen = world.quota._desk.quotes.observations(PurposeKind.RUN, done.digest, limit=5)
    assert [(one.quote_id, one.finished, one.features) for one in seen] == [(f"run-{done.id}", True, {"n": 3.0})]


def test_what_cannot_be_learnt_does_not_keep_a_run_from_ending(world: World) -> None:
    world.quota.observe = _raise(ObservationDiffers(code="observation-differs", message="no"))
    assert world.look_until(run(world).id).status is RunStatus.FINISHED


@pytest.mark.parametrize(
    ("end", "told"),
    [(process_end(reason="time-limit", cpu_seconds=36), 1), (process_end(reason="failed-to-start"), 0), (None, 0)],
    ids=["time-limit", "failed-to-start", "lost"],
)
def test_a_failed_run_is_told_as_such_and_a_fault_of_ours_not_at_all(world: World, end: Any, told: int) -> None:
    world.fake.script = lambda run, folder: end
    seen: list[Observation] = []
    world.quota.observe = seen.append  # type: ignore[method-assign]
    world.look_until(run(world).id)
    assert [one.finished for one in seen] == [False] * told


def _raise(error: Exception) -> Any:
    def raising(*_: object) -> None:
        raise error

    return raising
