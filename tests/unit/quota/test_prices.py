"""The credits formula. Source of formula and golden vector: the Copernicus Data Space Ecosystem's documentation of
openEO credits (13,400,773 MB-seconds + 5,099 CPU-seconds + one batch run = 7.76 credits)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.catalogue import load_prices
from swath_quota.domain.errors import NoSuchPrices
from swath_quota.domain.prices import PriceLists, Prices, price_quantities, price_run, price_sync

PRICES = load_prices().on(date(2026, 1, 1))
used = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def test_golden_vector_of_the_documentation() -> None:
    millicredits = price_run(PRICES, cpu_seconds=5_099, memory_mb_seconds=13_400_773, batch=True)
    assert millicredits == 7_760
    assert round(7.7598, 2) == millicredits / 1000


@pytest.mark.parametrize(
    ("cpu_seconds", "memory_mb_seconds", "batch", "expected"),
    [
        (0, 0, True, 2_000),
        (0, 0, False, 0),
        (3600, 0, False, 1_500),
        (0, 1024 * 3600, False, 1_000),
        (6, 0, False, 3),  # 2.5 millicredits: half up
        (1.19, 0, False, 0),
    ],
)
def test_each_term(cpu_seconds: float, memory_mb_seconds: float, batch: bool, expected: int) -> None:
    assert price_run(PRICES, cpu_seconds=cpu_seconds, memory_mb_seconds=memory_mb_seconds, batch=batch) == expected


def test_a_synchronous_call_is_flat() -> None:
    assert price_sync(PRICES) == 6_000


@given(cpu=used, memory=used, more_cpu=used, more_memory=used)
def test_more_usage_never_costs_less(cpu: float, memory: float, more_cpu: float, more_memory: float) -> None:
    less = price_run(PRICES, cpu_seconds=cpu, memory_mb_seconds=memory)
    more = price_run(PRICES, cpu_seconds=cpu + more_cpu, memory_mb_seconds=memory + more_memory)
    assert more >= less


@given(cpu=used, memory=used)
def test_the_integer_is_within_half_a_millicredit_of_the_formula(cpu: float, memory: float) -> None:
    formula = 1000 * (1.0 * memory / 1024 / 3600 + 1.5 * cpu / 3600 + 2)
    got = price_run(PRICES, cpu_seconds=cpu, memory_mb_seconds=memory)
    assert isinstance(got, int)
    assert abs(got - formula) <= 0.5 + 1e-9 * formula


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_impossible_usage_has_no_price(wrong: float) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        price_run(PRICES, cpu_seconds=wrong, memory_mb_seconds=0)


def test_the_list_in_force_is_the_latest_one_begun() -> None:
    def of(day: date, price: int) -> Prices:
        return Prices(effective_on=day, per_cpu_hour=price, per_gb_hour=0, per_batch_run=0, per_sync_call=0)

    lists = PriceLists(lists=(of(date(2025, 1, 1), 1), of(date(2026, 1, 1), 2)))
    assert [lists.on(day).per_cpu_hour for day in (date(2024, 1, 1), date(2025, 12, 31), date(2026, 1, 1))] == [1, 1, 2]
    with pytest.raises(ValueError, match="ordered"):
        PriceLists(lists=tuple(reversed(lists.lists)))


def test_a_list_is_called_by_its_day_also_when_it_is_over() -> None:
    def of(day: date) -> Prices:
        return Prices(effective_on=day, per_cpu_hour=0, per_gb_hour=0, per_batch_run=0, per_sync_call=0)

    lists = PriceLists(lists=(of(date(2025, 1, 1)), of(date(2026, 1, 1))))
    assert lists.version("2025-01-01") is lists.lists[0]
    with pytest.raises(NoSuchPrices) as unknown:
        lists.version("2025-06-01")
    assert "2026-01-01" in unknown.value.mend


def test_storage_and_transfer_cost_what_the_list_says() -> None:
    usage = {"cpu_seconds": 3600.0, "storage_mb": 2048.0, "transfer_mb": 512.0, "worker_seconds": 99.0}
    assert price_quantities(PRICES, usage, batch=False) == 1_500
    dear = replace(PRICES, per_storage_gb=100, per_transfer_gb=10)
    assert price_quantities(dear, usage, batch=True) == 2_000 + 1_500 + 200 + 5
