"""Prices taken apart, and put together again."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.domain.explanations import Verdict, credits_text, explain
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import Prices, price_run

PRICES = Prices(
    effective_on=date(2023, 11, 1), per_cpu_hour=1500, per_gb_hour=1000, per_batch_run=2000, per_sync_call=6000
)


def test_the_published_example_is_taken_apart_as_it_is_published() -> None:
    """Copernicus Data Space Ecosystem, openEO credits: 13,400,773 MB-seconds and 5,099 CPU-seconds are 7.76 credits."""
    used = {"cpu_seconds": 5099, "memory_mb_seconds": 13_400_773}
    told = explain(PRICES, kind=PurposeKind.RUN, usage=used, charged=7760, held=9000)
    assert told.text == "1.416 CPU-h × 1.5 + 3.635 GB-h × 1 + 2 per run = 7.76"  # noqa: RUF001
    assert told.verdict is Verdict.EXACT
    assert [(term.unit, term.price) for term in told.terms] == [("CPU-h", 1500), ("GB-h", 1000), ("run", 2000)]


@given(
    cpu=st.floats(0, 1e7, allow_nan=False),
    memory=st.floats(0, 1e12, allow_nan=False),
    kind=st.sampled_from(PurposeKind),
)
def test_the_terms_are_the_price(cpu: float, memory: float, kind: PurposeKind) -> None:
    price = price_run(PRICES, cpu_seconds=cpu, memory_mb_seconds=memory, batch=kind is PurposeKind.RUN)
    used = {"cpu_seconds": cpu, "memory_mb_seconds": memory}
    told = explain(PRICES, kind=kind, usage=used, charged=price, held=price)
    assert told.priced == price
    assert sum(term.amount for term in told.terms) == pytest.approx(price, abs=0.51, rel=1e-9)
    assert told.verdict is Verdict.EXACT


@pytest.mark.parametrize(
    ("charged", "held", "verdict", "end"),
    [
        (3000, 3000, Verdict.CAPPED, "= 3.5; charged 3, all that was held"),
        (4000, 9000, Verdict.ADDED, "= 3.5; and 0.5 of the author's"),
        (3200, 9000, Verdict.REDUCED, "= 3.5; charged 3.2"),
        (0, 9000, Verdict.FREE, "= 3.5; not charged"),
    ],
)
def test_a_charge_that_is_not_the_price_says_why(charged: int, held: int, verdict: Verdict, end: str) -> None:
    told = explain(PRICES, kind=PurposeKind.RUN, usage={"cpu_seconds": 3600}, charged=charged, held=held)
    assert told.verdict is verdict
    assert told.text.endswith(end)


def test_without_usage_nothing_is_made_up() -> None:
    assert explain(PRICES, kind=PurposeKind.RUN, usage={}, charged=0, held=1).verdict is Verdict.FREE
    assert explain(PRICES, kind=PurposeKind.RUN, usage={}, charged=77, held=99).verdict is Verdict.UNTOLD
    flat = explain(PRICES, kind=PurposeKind.RUN, usage={}, charged=6000, held=6000)
    assert (flat.verdict, flat.text) == (Verdict.FLAT, "6 per synchronous call")


@pytest.mark.parametrize(
    ("millicredits", "text"),
    [(0, "0"), (1, "0.001"), (-1500, "-1.5"), (1_234_567_890, "1,234,567.89"), (10_000, "10")],
)
def test_credits_are_told_in_full(millicredits: int, text: str) -> None:
    assert credits_text(millicredits) == text
