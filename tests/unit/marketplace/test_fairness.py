"""Who is next: shares, weights, aging, on a simulated clock."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_marketplace.domain import shares as shares_of
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.fairness import Candidate, Queue, Slots, Terms, choose, forecast
from swath_marketplace.domain.runs import Stage
from swath_marketplace.domain.shares import Charge, Rules, Share

START = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = Rules(half_life_seconds=1e15, aging_seconds=1e12)
"""Nothing is forgotten and nobody ages: what is left is the order by share alone."""


def run(name: str, at: float, *, cpus: float = 1, memory_mb: int = 100, wall: int = 100, number: int = 0) -> Candidate:
    return Candidate(
        id=f"{name}-{at:09.1f}-{number}",
        caller=name,
        resources=Resources(cpus=cpus, memory_mb=memory_mb, wall_seconds=wall),
        queued_at=START + timedelta(seconds=at),
    )


def took(name: str, cpu_seconds: float = 0, memory: float = 0, *, at: float = 0) -> dict[str, Share]:
    moment = START + timedelta(seconds=at)
    return {name: Share(caller=name, cpu_seconds=cpu_seconds, memory_mb_seconds=memory, at=moment)}


def chosen(waiting: Sequence[Candidate], slots: Slots, *, now: float = 20, **more: object) -> tuple[str, ...]:
    queue = Queue(waiting=waiting, slots=slots, now=START + timedelta(seconds=now), **more)  # type: ignore[arg-type]
    callers = {one.id: one.caller for one in waiting}
    return tuple(callers[one] for one in choose(queue))


@dataclass
class World:
    """A machine under a simulated clock: every event is an arrival or an end, and slots are given out after each."""

    slots: Slots
    rules: Rules = field(default_factory=Rules)
    terms: Mapping[str, Terms] = field(default_factory=dict)
    takes: Mapping[str, float] = field(default_factory=dict)
    """By caller: part of its time limit that a run really takes; by default all."""
    shares: dict[str, Share] = field(default_factory=dict)
    waiting: dict[str, Candidate] = field(default_factory=dict)
    active: dict[str, Candidate] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    admitted_work: Counter[str] = field(default_factory=Counter)
    """By caller: CPU-seconds of the runs that got a slot, as long as they will really take."""
    charges: dict[str, Charge] = field(default_factory=dict)
    clock: datetime = START

    def go(
        self, arrivals: Iterable[Candidate], *, until: float = float("inf"), steps: Mapping[float, float] = {}
    ) -> None:
        """Let time pass until nothing is left or it is `until`.

        `steps` are offsets of the wall clock, each from its time on.
        """
        events = [((one.queued_at - START).total_seconds(), 0, one.id, one) for one in arrivals]
        heapq.heapify(events)
        while events and events[0][0] <= until:
            time = events[0][0]
            while events and events[0][0] == time:
                _, kind, _, one = heapq.heappop(events)
                if kind == 0:
                    self.waiting[one.id] = one
                else:
                    self._end(one)
            offset = next((steps[at] for at in sorted(steps, reverse=True) if at <= time), 0.0)
            for id_ in self._admit(time, time + offset):
                run = self.active[id_]
                heapq.heappush(events, (time + self._seconds(run), 1, run.id, run))

    def _admit(self, time: float, told: float) -> tuple[str, ...]:
        now = max([START + timedelta(seconds=told), *(share.at for share in self.shares.values())])
        queue = Queue(
            waiting=list(self.waiting.values()),
            active=list(self.active.values()),
            shares=self.shares,
            terms=self.terms,
            slots=self.slots,
            rules=self.rules,
            now=now,
        )
        ids = choose(queue)
        for id_ in ids:
            one = self.waiting.pop(id_)
            self.active[id_], self.started[id_] = one, time
            share = self.shares.get(one.caller)
            self.shares[one.caller] = shares_of.admitted(share, one.caller, one.resources, at=now, rules=self.rules)
            self.charges[id_] = Charge(
                caller=one.caller, resources=one.resources, admitted_at=now, seconds=one.resources.wall_seconds
            )
            self.admitted_work[one.caller] += one.resources.cpus * self._seconds(one)  # type: ignore[assignment]
        assert sum(one.resources.cpus for one in self.active.values()) <= self.slots.cpus + 1e-6
        assert sum(one.resources.memory_mb for one in self.active.values()) <= self.slots.memory_mb
        for caller, count in Counter(one.caller for one in self.active.values()).items():
            assert count <= (self.terms.get(caller, Terms()).concurrent or self.slots.per_caller)
        return ids

    def _seconds(self, one: Candidate) -> float:
        return one.resources.wall_seconds * self.takes.get(one.caller, 1.0)

    def _end(self, one: Candidate) -> None:
        del self.active[one.id]
        charge = self.charges[one.id]
        self.charges[one.id] = replace(charge, seconds=self._seconds(one))
        self.shares[one.caller] = shares_of.ended(
            self.shares[one.caller],
            one.resources,
            admitted_at=charge.admitted_at,
            seconds=self._seconds(one),
            rules=self.rules,
        )


# --- the order of one moment


def test_callers_take_turns() -> None:
    waiting = [*(run("ada", at) for at in range(5)), run("bob", 10), run("cyd", 11)]
    assert chosen(waiting, Slots(cpus=4, memory_mb=1000)) == ("ada", "bob", "cyd", "ada")


def test_who_took_least_is_next() -> None:
    waiting = [run("ada", 0), run("bob", 5)]
    slots = Slots(cpus=1, memory_mb=1000)
    assert chosen(waiting, slots, shares=took("ada", 50)) == ("bob",)
    assert chosen(waiting, slots, shares={**took("ada", 50), **took("bob", 51)}) == ("ada",)


def test_the_dominant_share_counts_not_the_sum() -> None:
    waiting = [run("ada", 0), run("bob", 5)]
    slots = Slots(cpus=10, memory_mb=10_000, per_caller=1)
    # A tenth of the cores for 100 s, and half of the memory for 100 s.
    many = {**took("ada", 100, 500_000), **took("bob", 400, 0)}
    assert chosen(waiting, replace(slots, cpus=1), shares=took("ada", 1)) == ("bob",)
    assert choose(Queue(waiting=waiting, slots=slots, shares=many, now=START))[0] == waiting[1].id


def test_twice_the_weight_is_half_the_share() -> None:
    waiting, slots = [run("ada", 0), run("bob", 5)], Slots(cpus=1, memory_mb=1000)
    both = {**took("ada", 150), **took("bob", 100)}
    assert chosen(waiting, slots, shares=both) == ("bob",)
    assert chosen(waiting, slots, shares=both, terms={"ada": Terms(weight=2)}) == ("ada",)
    assert chosen(waiting, slots, shares=both, terms={"bob": Terms(weight=0.5)}) == ("ada",)


def test_the_limit_per_caller_holds_with_what_runs_already() -> None:
    slots = Slots(cpus=10, memory_mb=10_000, per_caller=2)
    waiting = [run("ada", 1), run("ada", 2)]
    assert chosen(waiting, slots, active=[run("ada", 0)]) == ("ada",)
    assert chosen(waiting, slots, active=[run("ada", 0)], terms={"ada": Terms(concurrent=1)}) == ()
    assert chosen(waiting, slots, active=[run("ada", 0)], terms={"ada": Terms(concurrent=9)}) == ("ada", "ada")
    assert chosen(waiting, slots, terms={"ada": Terms(concurrent=0)}) == ("ada",), "what was accepted is run"


def test_small_runs_do_not_overtake_a_large_one() -> None:
    waiting = [run("ada", 0, cpus=4), run("bob", 1)]
    assert chosen(waiting, Slots(cpus=4, memory_mb=10_000), active=[run("cyd", 0)]) == ()


def test_a_caller_who_waits_too_long_goes_before_everybody() -> None:
    rules = Rules(aging_seconds=3600)
    waiting, slots = [run("ada", 0), run("bob", 5)], Slots(cpus=1, memory_mb=1000)
    heavy = took("ada", 10**9, at=-10)
    assert chosen(waiting, slots, shares=heavy, rules=rules, now=3599) == ("bob",)
    assert chosen(waiting, slots, shares=heavy, rules=rules, now=3600) == ("ada",)
    served = took("ada", 10**9, at=1800)
    assert chosen(waiting, slots, shares=served, rules=rules, now=3700) == ("bob",), (
        "the wait began when ada was served"
    )


candidates = st.lists(
    st.builds(
        run,
        st.sampled_from(["ada", "bob", "cyd", "dan"]),
        st.integers(0, 10_000),
        cpus=st.sampled_from([0.5, 1, 2, 4]),
        memory_mb=st.sampled_from([100, 500, 1000]),
        wall=st.integers(1, 10_000),
        number=st.integers(0, 3),
    ),
    max_size=30,
    unique_by=lambda candidate: candidate.id,
)
uses = st.dictionaries(
    st.sampled_from(["ada", "bob", "cyd"]), st.tuples(st.floats(0, 1e9), st.floats(0, 1e12), st.integers(0, 10**6))
)


@given(candidates, candidates, uses, st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_choice_is_determined_and_inside_the_slots(
    waiting: list[Candidate],
    active: list[Candidate],
    used: dict[str, tuple[float, float, int]],
    now: int,
    chance: random.Random,
) -> None:
    slots = Slots(cpus=4, memory_mb=2000, per_caller=2)
    shares = {name: took(name, *take[:2], at=take[2])[name] for name, take in used.items()}
    running: list[Candidate] = []
    for one in (replace(one, id=f"active-{one.id}") for one in active):
        if sum(other.resources.cpus for other in running) + one.resources.cpus <= 4 and len(running) < 2:
            running.append(replace(one, resources=replace(one.resources, memory_mb=100)))
    queue = Queue(waiting=waiting, active=running, shares=shares, slots=slots, now=START + timedelta(seconds=now))
    ids = choose(queue)
    shuffled = {name: shares[name] for name in chance.sample(sorted(shares), len(shares))}
    again = replace(queue, waiting=chance.sample(waiting, len(waiting)), active=running[::-1], shares=shuffled)
    assert choose(again) == ids, "the same queue in another order gives the same"
    by_id = {one.id: one for one in waiting}
    all_active = [*running, *(by_id[id_] for id_ in ids)]
    assert sum(one.resources.cpus for one in all_active) <= slots.cpus
    assert sum(one.resources.memory_mb for one in all_active) <= slots.memory_mb
    assert len(set(ids)) == len(ids)
    started = Counter(by_id[id_].caller for id_ in ids)
    before = Counter(one.caller for one in running)
    assert all(before[caller] + count <= 2 for caller, count in started.items())
    for id_ in ids:
        mine = [one for one in waiting if one.caller == by_id[id_].caller and one.queued_at < by_id[id_].queued_at]
        assert all(one.id in ids for one in mine), "within a caller the oldest is first"
    if waiting and not running:
        assert ids, "an idle machine starts something"


# --- shares


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5), st.floats(0, 1)), min_size=1, max_size=40))
def test_what_is_kept_is_what_the_runs_give(runs: list[tuple[int, int, float]]) -> None:
    rules = Rules(half_life_seconds=50_000)
    share: Share | None = None
    charges: list[Charge] = []
    going: list[tuple[Charge, float]] = []
    for number, (at, wall, part) in enumerate(sorted(runs)):
        resources = Resources(cpus=1 + number % 3, memory_mb=100, wall_seconds=wall)
        moment = START + timedelta(seconds=at)
        share = shares_of.admitted(share, "ada", resources, at=moment, rules=rules)
        going.append((Charge(caller="ada", resources=resources, admitted_at=moment, seconds=wall), part * wall))
        if number % 2:
            charge, seconds = going.pop(0)
            share = shares_of.ended(
                share, charge.resources, admitted_at=charge.admitted_at, seconds=seconds, rules=rules
            )
            charges.append(replace(charge, seconds=seconds))
    again = shares_of.recomputed([*charges, *(charge for charge, _ in going)], rules=rules)["ada"]
    assert share is not None
    assert again.at == share.at
    assert again.cpu_seconds == pytest.approx(share.cpu_seconds, rel=1e-6, abs=1e-3)
    assert again.memory_mb_seconds == pytest.approx(share.memory_mb_seconds, rel=1e-6, abs=1e-1)


def test_a_use_counts_half_after_the_half_life() -> None:
    share = took("ada", 800, 80)["ada"]
    later = shares_of.brought_to(share, START + timedelta(hours=168), rules=Rules())
    assert (later.cpu_seconds, later.memory_mb_seconds) == (400, 40)


def test_a_burst_pays_before_it_runs() -> None:
    resources = Resources(cpus=2, memory_mb=10, wall_seconds=600)
    share = shares_of.admitted(None, "ada", resources, at=START, rules=NEVER)
    assert (share.cpu_seconds, share.memory_mb_seconds) == (1200, 6000)
    over = shares_of.ended(share, resources, admitted_at=START, seconds=60, rules=NEVER)
    assert (over.cpu_seconds, over.memory_mb_seconds) == (120, 600)


def test_only_the_platforms_faults_count_nothing() -> None:
    resources = Resources(wall_seconds=600)
    told = {
        (stage, fault): shares_of.charged_seconds(
            stage=stage, resources=resources, wall_seconds=50.0, platform_fault=fault
        )
        for stage in (Stage.RUNNING, Stage.SETTLING)
        for fault in (False, True)
    }
    assert told == {
        (Stage.RUNNING, False): 600,
        (Stage.RUNNING, True): 600,
        (Stage.SETTLING, False): 50,
        (Stage.SETTLING, True): 0,
    }


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30), st.floats(1, 1e6), st.floats(0, 1e9))
def test_time_that_goes_backwards_gives_nobody_more(readings: list[int], half_life: float, used: float) -> None:
    """Whatever the clock says in between, nothing more is forgotten than its highest reading allows."""
    rules = Rules(half_life_seconds=half_life)
    share = took("ada", used)["ada"]
    for reading in readings:
        before = share
        share = shares_of.brought_to(share, START + timedelta(seconds=reading), rules=rules)
        assert share.cpu_seconds <= before.cpu_seconds
        if START + timedelta(seconds=reading) <= before.at:
            assert share == before
    highest = max(0, *readings)
    assert share.cpu_seconds == pytest.approx(used * 2.0 ** -(highest / half_life), rel=1e-6, abs=1e-6)


@given(
    st.dictionaries(st.integers(1, 5000).map(float), st.integers(-4000, 0).map(float), max_size=5),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_a_clock_that_steps_back_changes_no_order(steps: dict[float, float], seed: int) -> None:
    """Shares only: with aging out of reach, a schedule under steps back is the schedule without them.

    What is forgotten is less for the time of the step, but the same for all that is compared then. Of equal shares the
    one goes first that has waited longest, by that clock: here no two are equal.
    """
    chance = random.Random(seed)
    arrivals = [
        replace(one, resources=replace(one.resources, cpus=chance.uniform(0.5, 2), memory_mb=chance.randint(50, 400)))
        for one in _mixed(chance, count=60, over=4000)
    ]
    plain = World(slots=Slots(cpus=4, memory_mb=4000), rules=NEVER)
    stepped = World(slots=Slots(cpus=4, memory_mb=4000), rules=NEVER)
    plain.go(arrivals)
    stepped.go(arrivals, steps=steps)
    assert stepped.started == plain.started


# --- the long run


def _mixed(
    chance: random.Random, *, count: int, over: float, names: Sequence[str] = ("ada", "bob", "cyd", "dan")
) -> list[Candidate]:
    return [
        run(
            chance.choice(names),
            chance.uniform(0, over),
            cpus=chance.choice([0.5, 1, 2]),
            memory_mb=chance.choice([100, 500, 1500]),
            wall=chance.randint(5, 300),
            number=number,
        )
        for number in range(count)
    ]


@given(
    pieces=st.integers(2, 12),
    wall=st.integers(24, 240),
    cpus=st.integers(1, 4),
    part=st.floats(0.2, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_cutting_work_into_pieces_brings_nothing(pieces: int, wall: int, cpus: int, part: float, seed: int) -> None:
    """Work of runs that got a slot until any moment, while both always have more to do.

    The splitter has at most one of its own runs more than the other, and what the other's active runs were charged in
    advance and will not take: at most a machine full of them, nothing when runs take all their time.
    """
    chance = random.Random(seed)
    pieces_wall = max(1, wall // pieces)
    whole = [run("whole", 0, wall=pieces_wall * pieces, number=number) for number in range(60)]
    split = [run("split", 0, wall=pieces_wall, number=number) for number in range(60 * pieces)]
    others = _mixed(chance, count=40, over=2000, names=("cyd", "dan"))
    others = [replace(one, resources=replace(one.resources, cpus=1, memory_mb=100)) for one in others]
    world = World(
        slots=Slots(cpus=cpus, memory_mb=10**6, per_caller=100), rules=NEVER, takes={"whole": part, "split": part}
    )
    horizon = 20 * wall * part / cpus
    world.go([*whole, *split, *others], until=horizon)
    assert any(one.caller == "whole" for one in world.waiting.values()), "both still have work"
    tolerance = pieces_wall * part + cpus * wall * (1 - part)
    assert world.admitted_work["split"] <= world.admitted_work["whole"] + tolerance + 1e-6


@given(
    weights=st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]), min_size=2, max_size=5),
    walls=st.lists(st.integers(10, 200), min_size=5, max_size=5),
    cpus=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_weights_are_kept(weights: list[float], walls: list[int], cpus: int) -> None:
    """While all always have more to do, what two got, divided by their weights, differs by at most one run of each."""
    names = [f"user{number}" for number in range(len(weights))]
    arrivals = [
        run(name, 0, wall=wall, number=number)
        for name, wall in zip(names, walls, strict=False)
        for number in range(4000 // wall)
    ]
    terms = {name: Terms(weight=weight) for name, weight in zip(names, weights, strict=True)}
    world = World(slots=Slots(cpus=cpus, memory_mb=10**6, per_caller=100), rules=NEVER, terms=terms)
    world.go(arrivals, until=3000 / cpus)
    ratios = {name: world.admitted_work[name] / terms[name].weight for name in names}
    steps = {name: wall / terms[name].weight for name, wall in zip(names, walls, strict=False)}
    assert {one.caller for one in world.waiting.values()} == set(names)
    for one in names:
        for other in names:
            assert ratios[one] <= ratios[other] + steps[one] + 1e-6


def test_weights_are_kept_while_use_is_forgotten() -> None:
    """With decay the ratio is kept within a tenth over many half-lives."""
    arrivals = [run(name, 0, wall=20, number=number) for name in ("one", "three") for number in range(2000)]
    world = World(
        slots=Slots(cpus=2, memory_mb=10**6, per_caller=100),
        rules=Rules(half_life_seconds=1000, aging_seconds=1e9),
        terms={"three": Terms(weight=3)},
    )
    world.go(arrivals, until=15_000)
    assert world.admitted_work["three"] / world.admitted_work["one"] == pytest.approx(3, rel=0.1)


@given(seed=st.integers(0, 2**32), newcomers=st.booleans(), weight=st.sampled_from([1e-6, 0.1, 1.0]))
@settings(max_examples=40, deadline=None)
def test_nobody_starves(seed: int, newcomers: bool, weight: float) -> None:
    """The stated bound, against callers who try: an endless stream of newcomers, of small runs, of large ones."""
    chance = random.Random(seed)
    longest, aging, end, pace = 100, 500.0, 4000.0, 16.0
    victims = [run("victim", 50.0 + number, cpus=chance.choice([1, 4]), wall=100, number=number) for number in range(3)]
    enemies = [
        run(
            f"new{number}" if newcomers else f"enemy{chance.randint(0, 2)}",
            number * pace,
            cpus=chance.choice([0.5, 1, 2, 4]),
            memory_mb=chance.choice([100, 1000, 4000]),
            wall=chance.randint(1, longest),
            number=number,
        )
        for number in range(int(end / pace))
    ]
    world = World(
        slots=Slots(cpus=4, memory_mb=4000, per_caller=chance.choice([1, 2, 8])),
        rules=Rules(aging_seconds=aging),
        terms={"victim": Terms(weight=weight)},
        shares=took("victim", 1e9, 1e9, at=0),
    )
    world.go([*victims, *enemies], until=end)
    served, checked = 50.0, 0
    for victim in victims:
        since = max(served, (victim.queued_at - START).total_seconds())
        others = {
            one.caller
            for one in enemies
            if (one.queued_at - START).total_seconds() <= since and world.started.get(one.id, float("inf")) >= since
        }
        bound = aging + 2 * longest * (len(others) + 1)
        if since + bound > end:
            break
        assert world.started[victim.id] - since <= bound
        served, checked = world.started[victim.id], checked + 1
    assert checked >= 1


def test_without_aging_the_same_caller_would_starve() -> None:
    """That the test above can fail."""
    enemies = [run(f"new{number}", number * 16.0, cpus=4, wall=100, number=number) for number in range(250)]
    world = World(slots=Slots(cpus=4, memory_mb=4000), rules=NEVER, shares=took("victim", 1e9, 1e9, at=0))
    world.go([run("victim", 50), *enemies], until=4000)
    assert not any(id_.startswith("victim") for id_ in world.started)


def test_twenty_users_and_a_thousand_runs() -> None:
    """On a simulated clock: all is run, within the slots, and light users hardly wait for the heavy ones."""
    chance = random.Random(20261125)
    names = [f"user{number:02d}" for number in range(20)]
    heavy = [
        run(name, 0, cpus=2, memory_mb=1000, wall=1800, number=number) for name in names[:4] for number in range(150)
    ]
    light = [
        run(chance.choice(names[4:]), chance.uniform(0, 150_000), cpus=1, memory_mb=500, wall=600, number=number)
        for number in range(400)
    ]
    world = World(slots=Slots(cpus=8, memory_mb=16_000, per_caller=4), takes=dict.fromkeys(names[:4], 0.5))
    world.go([*heavy, *light])
    assert len(world.started) == 1000
    assert world.waiting == world.active == {}
    waits = sorted(world.started[one.id] - (one.queued_at - START).total_seconds() for one in light)
    # While the heavy ones always have work, a light run waits for one of theirs to end, now and then for two.
    assert waits[len(waits) // 2] <= 900
    assert waits[int(len(waits) * 0.95)] <= 2 * 900
    of_heavy = [world.admitted_work[name] for name in names[:4]]
    assert len(set(of_heavy)) == 1
    again = shares_of.recomputed(world.charges.values(), rules=world.rules)
    assert set(again) == set(world.shares)
    for name, share in world.shares.items():
        assert again[name].cpu_seconds == pytest.approx(share.cpu_seconds, rel=1e-9)


# --- where a run stands


def test_a_forecast_says_how_many_start_before_and_when() -> None:
    slots = Slots(cpus=2, memory_mb=1000, per_caller=1)
    waiting = [run("ada", 0, number=1), run("ada", 1, number=2), run("bob", 2), run("cyd", 3, cpus=2)]
    queue = Queue(waiting=waiting, active=[run("dan", 0)], slots=slots, now=START + timedelta(seconds=10))
    told = forecast(queue, seconds_left={queue.active[0].id: 30}, usual=0.5)
    by = {one.caller + one.id[-1]: told[one.id] for one in waiting}
    assert {name: (one.before, one.wait_seconds) for name, one in by.items()} == {
        "ada1": (0, 0.0),
        "bob0": (1, 30.0),
        # Both cores are free when bob's run ends: ada's ended before.
        "cyd0": (2, 80.0),
        "ada2": (3, 130.0),
    }


def test_a_forecast_does_not_hide_what_cannot_start() -> None:
    waiting = [run("ada", 0, cpus=8), run("bob", 1)]
    told = forecast(Queue(waiting=waiting, slots=Slots(cpus=2, memory_mb=1000), now=START), seconds_left={})
    assert {one.wait_seconds for one in told.values()} == {None}


@given(candidates)
@settings(deadline=None)
def test_a_forecast_counts_every_run_once_and_agrees_with_the_choice(waiting: list[Candidate]) -> None:
    slots = Slots(cpus=4, memory_mb=2000, per_caller=2)
    queue = Queue(waiting=waiting, slots=slots, now=START + timedelta(seconds=20_000))
    told = forecast(queue, seconds_left={})
    assert sorted(one.before for one in told.values()) == list(range(len(waiting)))
    ids = choose(queue)
    assert tuple(sorted(told, key=lambda id_: told[id_].before))[: len(ids)] == ids
    assert all(told[id_].wait_seconds == 0 for id_ in ids)
