"""What is learnt from past use: bounds that hold, width where nothing was seen, nothing from what cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from swath_quota.client import FakeQuotaClient
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import PriceLists, Prices
from swath_quota.domain.quotes import Basis, Observation, ObservationSource, Quote, QuoteRequest, Reserved
from swath_quota.services.learning import QUANTITIES, Columns, UsageModel, conformal_score, weighted_quantile

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
RESERVED = Reserved(cpus=4, memory_mb=8192, wall_seconds=20_000)
Make = Callable[..., list[Observation]]


def observation(number: int, features: dict[str, float], seconds: float, **more: Any) -> Observation:
    usage = {"cpu_seconds": seconds, "memory_mb_seconds": 2048 * seconds * 1.2, "wall_seconds": seconds * 1.2}
    told: dict[str, Any] = {"usage": usage, "finished": True, "at": NOW + timedelta(seconds=number), **more}
    return Observation(id=f"o{number}", kind=PurposeKind.RUN, subject="sha256:a", features=features, **told)


def uneven(count: int, *, seed: int) -> list[Observation]:
    """Runs of an algorithm whose work goes by area and days, differs by collection, and is the noisier the larger."""
    dice = np.random.default_rng(seed)
    made = []
    for number in range(count):
        area, days = float(np.exp(dice.uniform(0, 7))), float(dice.uniform(5, 365))
        collection = int(dice.integers(3))
        features = {"area_km2": area, "days": days, "area_days": area * days, f"collection={collection}": 1.0}
        noise = 0.1 if area < 100 else 0.3
        work = (5 + 0.003 * area * days * (1, 2, 0.5)[collection]) * float(np.exp(noise * dice.standard_normal()))
        made.append(observation(number, features, work))
    return made


@pytest.mark.parametrize(("learnt", "least"), [(6, 0.95), (12, 0.95), (40, 0.95), (120, 0.95)])
def test_the_upper_bound_holds_for_every_quantity_at_once(learnt: int, least: float) -> None:
    held = medians = total = 0
    for seed in range(4):
        runs = uneven(learnt + 60, seed=seed)
        model = UsageModel(runs[:learnt])
        for run in runs[learnt:]:
            told = model.forecast(run.features)
            total += 1
            # What was never seen is not bounded by what was learnt but by the limits.
            held += bool(told.unseen) or all(run.usage[name] <= told.upper[name] for name in QUANTITIES)
            medians += abs(run.usage["cpu_seconds"] / told.p50["cpu_seconds"] - 1) <= 0.3
    assert held / total >= least
    if learnt >= 40:
        assert medians / total > 0.5


def test_p95_is_one_and_not_far_more() -> None:
    covered = []
    for seed in range(4):
        runs = uneven(180, seed=seed)
        model = UsageModel(runs[:120])
        covered += [run.usage["cpu_seconds"] <= model.forecast(run.features).p95["cpu_seconds"] for run in runs[120:]]
    assert 0.90 <= np.mean(covered) < 1


def test_what_lies_beyond_what_was_seen_is_named() -> None:
    model = UsageModel(uneven(60, seed=1))
    known = {"area_km2": 100.0, "days": 100.0, "area_days": 1e4, "collection=1": 1.0}
    assert model.forecast(known).unseen == ()
    assert model.forecast({**known, "area_km2": 1e6}).unseen == ("area_km2",)
    assert model.forecast({**known, "parcels:shapes": 3.0}).unseen == ("parcels:shapes",)
    renamed = {name: value for name, value in known.items() if "=" not in name}
    assert model.forecast({**renamed, "collection=9": 1.0}).unseen == ("collection",)


def test_a_feature_that_never_varied_is_unseen_when_it_does() -> None:
    runs = [observation(number, {"n": 3.0, "m": float(number)}, 10) for number in range(20)]
    assert UsageModel(runs).forecast({"n": 4.0, "m": 5.0}).unseen == ("n",)


def test_text_that_is_another_each_time_is_no_category() -> None:
    seen = [{f"title={number}": 1.0, f"sensor={number % 2}": 1.0} for number in range(30)]
    columns = Columns(seen)
    assert columns.names == ["sensor=0", "sensor=1"]
    assert columns.unseen({"title=never": 1.0, "sensor=1": 1.0}) == ()


def test_recent_runs_weigh_more() -> None:
    slow = [observation(number, {}, 10 * (1 + 0.01 * (number % 5))) for number in range(100)]
    fast = [observation(100 + number, {}, 5 * (1 + 0.01 * (number % 5))) for number in range(100)]
    told = UsageModel([*slow, *fast]).forecast({})
    assert told.p50["cpu_seconds"] == pytest.approx(5, rel=0.1)
    assert told.upper["cpu_seconds"] >= 5.2


@pytest.mark.parametrize("count", [3, 4, 6])
def test_few_observations_bound_loosely_and_at_all(count: int) -> None:
    runs = [observation(number, {"n": 1.0}, 10 + number * 0.1) for number in range(count)]
    told = UsageModel(runs).forecast({"n": 1.0})
    assert told.p50["cpu_seconds"] == pytest.approx(10 + (count - 1) / 20, rel=0.02)
    assert max(run.usage["cpu_seconds"] for run in runs) < told.upper["cpu_seconds"] < 200


def test_usage_of_nothing_and_of_the_same_is_learnt_from() -> None:
    told = UsageModel([observation(number, {}, 0.0) for number in range(30)]).forecast({})
    assert 0 < told.upper["cpu_seconds"] < 0.01


def test_quantiles_by_weight() -> None:
    values, even = np.array([3.0, 1.0, 2.0]), np.ones(3)
    assert weighted_quantile(values, even, 0.5) == 2
    assert weighted_quantile(values, np.array([10.0, 1.0, 1.0]), 0.5) == 3
    scores = np.arange(1.0, 100.0)
    # Split conformal: the 95th of 99 scores, by rank (n + 1) x level.
    assert conformal_score(scores, np.ones(99), 0.95) == 95
    assert conformal_score(np.array([0.5, 0.1, 0.2]), even, 0.95) > 0.5


def client(price: int = 1500, *, seen: list[Observation] | None = None) -> FakeQuotaClient:
    prices = Prices(effective_on=NOW.date(), per_cpu_hour=price, per_gb_hour=price, per_batch_run=2000, per_sync_call=0)
    made = FakeQuotaClient(prices=PriceLists(lists=(prices,)), clock=lambda: NOW)
    for one in seen or []:
        made.observe(one)
    return made


def ask(quota: FakeQuotaClient, features: dict[str, float], name: str = "q", **more: Any) -> Quote:
    request = QuoteRequest(
        quote_id=name, kind=PurposeKind.RUN, subject="sha256:a", reserved=RESERVED, features=features
    )
    return quota.quote(replace(request, **more))


def test_a_cold_start_is_the_ceiling_and_says_so() -> None:
    told = ask(client(), {"area_km2": 5.0})
    assert told.p50 == told.p95 == told.upper == told.hold == told.ceiling
    # 4 cores and 8 GB for 20,000 s at 1.5 credits an hour, and the fee.
    assert told.ceiling == round(1500 * (80_000 / 3600 + 160_000 / 3600) + 2000)
    assert (told.basis, told.observations) == (Basis.COLD_START, 0)
    assert "cold start" in told.explanation


def test_a_history_makes_a_quote_below_the_ceiling() -> None:
    told = ask(client(seen=uneven(60, seed=3)), {"area_km2": 100.0, "days": 100.0, "area_days": 1e4, "collection=1": 1})
    assert 2000 < told.p50 < told.p95 < told.upper == told.hold < told.ceiling
    assert (told.basis, told.observations) == (Basis.HISTORY, 60)
    assert "60 past runs" in told.explanation


def test_outside_of_what_was_seen_the_limits_are_the_bound() -> None:
    features = {"area_km2": 1e6, "days": 100.0, "area_days": 1e8, "collection=1": 1.0}
    told = ask(client(seen=uneven(60, seed=3)), features)
    assert told.upper == told.hold == told.ceiling
    assert "area_km2" in told.explanation
    assert told.basis is Basis.HISTORY


def test_no_quantity_is_quoted_above_its_limit() -> None:
    runs = [observation(number, {}, 10_000 + number) for number in range(30)]
    tight = Reserved(cpus=1, memory_mb=1024, wall_seconds=60)
    told = ask(client(seen=runs), {}, reserved=tight)
    assert told.p50 == told.upper == told.ceiling
    assert told.p95_seconds == 60


def test_prices_move_a_quote_and_teach_it_nothing() -> None:
    runs = uneven(40, seed=5)
    features = runs[7].features
    cheap, same, dear = (ask(client(price, seen=runs), dict(features)) for price in (1000, 1000, 3000))
    assert (cheap.p50, cheap.p95, cheap.upper) == (same.p50, same.p95, same.upper)
    for name in ("p50", "p95", "upper", "ceiling"):
        # Usage is what is learnt: without the fee, three times the price is three times the cost.
        assert getattr(dear, name) - 2000 == pytest.approx(3 * (getattr(cheap, name) - 2000), abs=3)


def test_what_failed_teaches_nothing_of_the_cost() -> None:
    failed = [replace(one, finished=False) for one in uneven(30, seed=6)]
    assert ask(client(seen=failed), {}).basis is Basis.COLD_START


def test_the_authors_benchmark_stands_in_until_there_is_use() -> None:
    measured = [
        replace(observation(100 + number, {}, 10 + number * 0.1), source=ObservationSource.BENCHMARK)
        for number in range(6)
    ]
    used = [observation(number, {}, 100 + number) for number in range(20)]
    first = ask(client(seen=measured), {})
    assert (first.basis, first.observations) == (Basis.BENCHMARK, 6)
    assert "benchmark" in first.explanation
    assert ask(client(seen=[*measured, *used[:4]]), {}).basis is Basis.BENCHMARK
    assert ask(client(seen=[*measured, *used[:5]]), {}).basis is Basis.HISTORY
    later = ask(client(seen=[*measured, *used]), {})
    assert later.observations == 20
    assert later.p50_seconds > 100


def test_each_new_run_of_few_is_learnt_from_at_once() -> None:
    quota = client(seen=[observation(number, {}, 10) for number in range(4)])
    assert ask(quota, {}, "q1").observations == 4
    quota.observe(observation(99, {}, 10))
    assert ask(quota, {}, "q2").observations == 5


def test_a_lab_server_pays_no_fee() -> None:
    quota = client()
    assert ask(quota, {}, kind=PurposeKind.LAB, subject="lab:small").ceiling == ask(quota, {}, "r").ceiling - 2000
