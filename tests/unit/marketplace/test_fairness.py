"""Slots are given out in turn, first in first out, and never more than there are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.fairness import Candidate, Slots, choose

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, at: int, *, cpus: float = 1, memory_mb: int = 100) -> Candidate:
    return Candidate(
        id=f"{name}{at}",
        caller=name,
        resources=Resources(cpus=cpus, memory_mb=memory_mb),
        created_at=START + timedelta(seconds=at),
    )


def test_callers_take_turns() -> None:
    waiting = [*(run("ada", at) for at in range(5)), run("bob", 10), run("cyd", 11)]
    chosen = choose(waiting=waiting, active=[], last_served={}, slots=Slots(cpus=4, memory_mb=1000, per_caller=2))
    assert chosen == ("ada0", "bob10", "cyd11", "ada1")


def test_one_slot_goes_to_the_one_served_longest_ago() -> None:
    waiting = [run("ada", 0), run("bob", 5)]
    served = {"ada": START + timedelta(minutes=1)}
    slots = Slots(cpus=1, memory_mb=1000)
    assert choose(waiting=waiting, active=[], last_served=served, slots=slots) == ("bob5",)


def test_the_limit_per_caller_holds_with_what_runs_already() -> None:
    slots = Slots(cpus=10, memory_mb=10_000, per_caller=2)
    chosen = choose(waiting=[run("ada", 1), run("ada", 2)], active=[run("ada", 0)], last_served={}, slots=slots)
    assert chosen == ("ada1",)


def test_small_runs_do_not_overtake_a_large_one_for_ever() -> None:
    large, small = run("ada", 0, cpus=4), run("bob", 1, cpus=1)
    slots = Slots(cpus=4, memory_mb=10_000)
    assert choose(waiting=[large, small], active=[run("cyd", 0)], last_served={}, slots=slots) == ()


@given(
    st.lists(
        st.builds(
            run,
            st.sampled_from(["ada", "bob", "cyd"]),
            st.integers(0, 10_000),
            cpus=st.sampled_from([0.5, 1, 2, 4]),
            memory_mb=st.sampled_from([100, 500, 1000]),
        ),
        max_size=30,
        unique_by=lambda candidate: candidate.id,
    )
)
def test_slots_are_never_exceeded_and_each_caller_is_served_in_order(waiting: list[Candidate]) -> None:
    slots = Slots(cpus=4, memory_mb=2000, per_caller=2)
    by_id = {candidate.id: candidate for candidate in waiting}
    chosen = [by_id[name] for name in choose(waiting=waiting, active=[], last_served={}, slots=slots)]
    assert sum(candidate.resources.cpus for candidate in chosen) <= slots.cpus
    assert sum(candidate.resources.memory_mb for candidate in chosen) <= slots.memory_mb
    assert all(count <= 2 for count in Counter(candidate.caller for candidate in chosen).values())
    for candidate in chosen:
        earlier = [one for one in waiting if one.caller == candidate.caller and one.created_at < candidate.created_at]
        assert all(one in chosen for one in earlier)
    if waiting:
        assert chosen, "an idle machine starts something"
