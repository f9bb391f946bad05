"""When a hold grows, when a run is asked to checkpoint: over every price, use and budget, never too late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.domain import budgets
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.budgets import Account, Need, least_hold, need, spending
from swath_marketplace.domain.runs import ErrorInfo


def price(cpu_seconds: float, memory_mb_seconds: float) -> int:
    """1 a CPU-second, 1 for 1,000 MB-seconds, 100 for the run."""
    return round(100 + cpu_seconds + memory_mb_seconds / 1000)


RUN = Resources(cpus=1, memory_mb=1000, wall_seconds=1000)
"""It costs 2 a second at full use: at most 2,100."""
CEILING = 2100


def looked_at(seconds: float, *, ending: float = 10, cpu: float | None = None) -> budgets.Spending:
    return spending(
        RUN, price, cpu_seconds=seconds if cpu is None else cpu, wall_seconds=seconds, ending_seconds=ending
    )


def test_a_run_whose_whole_ceiling_is_held_is_left_alone() -> None:
    account = Account(held=CEILING, budget=None, ceiling=CEILING)
    assert need(account, looked_at(999)) is Need.NOTHING
    assert need(Account(held=CEILING, budget=5000, ceiling=CEILING), looked_at(999)) is Need.NOTHING


def test_four_fifths_of_what_is_held_beyond_the_fee_ask_for_more() -> None:
    account = Account(held=1100, budget=None, ceiling=CEILING)
    assert need(account, looked_at(399)) is Need.NOTHING
    assert need(account, looked_at(400)) is Need.EXTENSION
    assert need(account, looked_at(489)) is Need.EXTENSION
    assert need(account, looked_at(490)) is Need.EXTENSION_NOW


def test_the_fee_alone_is_no_reason_to_extend() -> None:
    assert need(Account(held=140, budget=None, ceiling=CEILING), looked_at(0)) is Need.NOTHING


def test_a_budget_is_used_to_the_last_moment_that_covers_the_grace() -> None:
    account = Account(held=1100, budget=1100, ceiling=CEILING)
    assert need(account, looked_at(489)) is Need.NOTHING
    assert need(account, looked_at(490)) is Need.CHECKPOINT


def test_idle_cores_are_not_counted_but_could_be_used_in_the_grace() -> None:
    account = Account(held=1100, budget=1100, ceiling=CEILING)
    assert need(account, looked_at(900, cpu=0)) is Need.NOTHING
    assert need(account, looked_at(980, cpu=0)) is Need.CHECKPOINT
    unmeasured = spending(RUN, price, cpu_seconds=None, wall_seconds=490, ending_seconds=10)
    assert need(account, unmeasured) is Need.CHECKPOINT, "what nobody measures counts as all"


def test_an_extension_doubles_and_stops_at_the_budget() -> None:
    now = looked_at(400)
    assert budgets.extended(Account(held=1100, budget=None, ceiling=CEILING), now) == CEILING
    assert budgets.extended(Account(held=600, budget=None, ceiling=CEILING), looked_at(100)) == 1100
    assert budgets.extended(Account(held=600, budget=800, ceiling=CEILING), looked_at(100)) == 800
    assert budgets.extended(Account(held=110, budget=None, ceiling=CEILING), looked_at(5)) == 150, (
        "enough for an ending"
    )


resources = st.builds(
    Resources,
    cpus=st.sampled_from([0.5, 1.0, 2.0, 16.0]),
    memory_mb=st.integers(128, 65_536),
    wall_seconds=st.integers(1, 86_400),
)


@given(resources, st.floats(0, 1), st.floats(0.05, 1), st.floats(5, 120), st.floats(0, 3), st.floats(0, 3600))
def test_a_run_that_is_asked_never_outgrows_its_hold(
    run: Resources, part: float, busy: float, grace: float, late: float, until: float
) -> None:
    """Looks come up to three seconds late, and from the request on the run uses all that it may, to the kill."""
    ending = budgets.ending_seconds(grace_seconds=grace, stop_seconds=5)
    ceiling = price(run.cpus * run.wall_seconds, run.memory_mb * run.wall_seconds)
    least = least_hold(run, price, seconds=ending)
    held = least + round((ceiling - least) * part)
    account = Account(held=held, budget=held, ceiling=ceiling)
    wall = cpu = 0.0
    while wall < run.wall_seconds:
        now = spending(run, price, cpu_seconds=cpu, wall_seconds=wall, ending_seconds=ending)
        if need(account, now) is Need.CHECKPOINT:
            break
        # One look a second, but a simulation need not take each: as far as nothing can have changed.
        rate = run.cpus + run.memory_mb / 1000
        step = max(0.1, min(60.0, (held - now.at_end) / rate))
        wall, cpu = wall + step, cpu + run.cpus * busy * step
    else:
        return
    over = wall + grace + 5 + min(late, budgets.SLACK_SECONDS)
    cpu += run.cpus * (over - wall)
    # What a step of the simulation may have been too long by, and rounding.
    tolerance = 1 + 0.1 * (run.cpus + run.memory_mb / 1000)
    assert price(cpu, run.memory_mb * over) <= held + tolerance


@given(resources, st.floats(1, 120))
def test_the_least_hold_lasts_for_an_ending_and_is_never_above_the_ceiling(run: Resources, ending: float) -> None:
    ceiling = price(run.cpus * run.wall_seconds, run.memory_mb * run.wall_seconds)
    least = least_hold(run, price, seconds=ending)
    assert 100 < least <= ceiling
    start = spending(run, price, cpu_seconds=0, wall_seconds=0, ending_seconds=ending)
    assert least == ceiling or need(Account(held=least, budget=least, ceiling=ceiling), start) is Need.NOTHING


def test_the_end_says_what_it_came_to() -> None:
    told = budgets.finally_told(ErrorInfo(code="budget-reached", message="m", cell=2), held=2400, cost=2350)
    assert told.cell == 2
    assert told.message == (
        "the run reached its budget, 2.4 credits, and cost 2.35; "
        "it was asked to save what it had, and what it emitted is kept as its results"
    )
    other = ErrorInfo(code="cell-failed", message="m")
    assert budgets.finally_told(other, held=1, cost=1) is other
