"""Tables for spreadsheets: nothing in them is computed, and money stays exact."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.api.charts import WIDTH, balance_chart, nice_top
from swath_quota.api.exports import CHARGE_COLUMNS, cell, charges_csv, credits_cell
from swath_quota.api.report_models import cursor_of, cursor_text
from swath_quota.domain.explanations import Explanation, Verdict
from swath_quota.domain.holds import HoldStatus, PurposeKind
from swath_quota.domain.limit_lines import Fullness, LimitLine
from swath_quota.domain.reports import BalanceDay, Charge, Cursor
from swath_service.errors import Invalid

AT = datetime(2026, 5, 20, 12, 0, 0, 5, tzinfo=UTC)


def charge(**changed: object) -> Charge:
    return Charge(
        **{  # type: ignore[arg-type]
            "id": "h1",
            "at": AT,
            "started_at": AT,
            "kind": PurposeKind.RUN,
            "reference": "run-1",
            "description": "ada/echo",
            "algorithm": "ada/echo",
            "member": "ada",
            "status": HoldStatus.CAPTURED,
            "held": 5000,
            "charged": 1001,
            "refunded": 0,
            "usage": {"cpu_seconds": 1.5},
            "price_version": "2023-11-01",
            "reason": "",
            "explanation": Explanation(terms=(), priced=0, verdict=Verdict.EXACT, text="=1+1"),
            **changed,
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\uff1d1",
        '=HYPERLINK("http://x","y")',
        "-2+3|cmd",
    ],
)
def test_what_looks_like_a_formula_is_text(text: str) -> None:
    assert str(cell(text)).startswith("'")


@given(st.text(max_size=40), st.text(max_size=40))
def test_every_cell_comes_back_and_none_begins_a_formula(description: str, reason: str) -> None:
    lines = "".join(charges_csv([charge(description=description, reason=reason)]))
    found = list(csv.DictReader(io.StringIO(lines, newline="")))
    assert len(found) == 1
    assert tuple(found[0]) == CHARGE_COLUMNS
    for name, value in found[0].items():
        assert not value.lstrip().startswith(("=", "+", "-", "@")), name
    assert found[0]["charged_credits"] == "1.001"
    assert found[0]["explanation"] == "'=1+1"


@pytest.mark.parametrize(("millicredits", "text"), [(0, "0.000"), (-1, "-0.001"), (1234567, "1234.567")])
def test_money_is_a_number_and_exact(millicredits: int, text: str) -> None:
    assert credits_cell(millicredits) == text


@given(st.text("abcXYZ019._:@-", min_size=1, max_size=128))
def test_a_cursor_comes_back(hold_id: str) -> None:
    cursor = Cursor(at=AT, hold_id=hold_id)
    assert cursor_of(cursor_text(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["x", "AAAA", "é", "MjAyNi0wNS0yMCB4", "=" * 9, cursor_text(Cursor(at=AT, hold_id=""))]
)
def test_what_is_no_cursor_is_told(text: str) -> None:
    with pytest.raises(Invalid) as told:
        cursor_of(text)
    assert told.value.findings[0]["field"] == "cursor"


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(-(10**9), 10**9)), min_size=1, max_size=400))
def test_a_chart_stays_in_its_frame(days: list[tuple[int, int]]) -> None:
    made = balance_chart(
        [BalanceDay(day=date(2026, 1, 1), closing=closing, given=0, spent=spent, lapsed=0) for closing, spent in days]
    )
    for point in made.line.removeprefix("M").split(" L"):
        x, y = map(float, point.split())
        assert 0 <= x <= WIDTH
        assert 0 <= y <= 220
    assert all(bar.y >= 0 and bar.y + bar.height <= 70.1 and bar.width > 0 for bar in made.bars)
    assert len(made.bars) == sum(spent > 0 for _, spent in days)


@given(st.floats(0.001, 1e12))
def test_a_scale_ends_at_a_round_number_not_far_above(value: float) -> None:
    assert value <= nice_top(value) <= value * 2 + 1e-9


@pytest.mark.parametrize(
    ("used", "limit", "fullness", "text"),
    [
        (0, 2, Fullness.ROOM, "0 of 2 runs"),
        (8, 10, Fullness.NEAR, "8 of 10 runs"),
        (3, 2, Fullness.FULL, "3 of 2 runs"),
        (0, 1, Fullness.ROOM, "0 of 1 run"),
        (0, 0, Fullness.FULL, "0 of 0 runs"),
        (1200, None, Fullness.ROOM, "1,200 runs, unrestricted"),
    ],
)
def test_a_limit_says_how_full_it_is(used: int, limit: int | None, fullness: Fullness, text: str) -> None:
    line = LimitLine(name="runs.concurrent", unit="run", used=used, limit=limit)
    assert (line.fullness, line.text, 0 <= line.share <= 1) == (fullness, text, True)
    assert line.title == "Runs at a time"


def test_beyond_a_soft_limit_it_is_nearly_full() -> None:
    line = LimitLine(name="credits.month", unit="millicredit", used=6_000_001, limit=10_000_000, soft=6_000_000)
    assert (line.fullness, line.text) == (Fullness.NEAR, "6,000.001 of 10,000 credits")


def test_limits_are_told_in_their_own_units() -> None:
    lines = [
        LimitLine(name="transfer.bytes.30d", unit="byte", used=3 * 2**40, limit=12 * 2**40),
        LimitLine(name="lab.memory_mb", unit="MB", used=512, limit=8192),
        LimitLine(name="processing.units.month", unit="milli_processing_unit", used=42_667, limit=10_000_000),
        LimitLine(name="something.new", unit="thing", used=1, limit=4),
    ]
    assert [line.text for line in lines] == [
        "3 TiB of 12 TiB",
        "512 MiB of 8 GiB",
        "42.667 of 10,000 processing units",
        "1 of 4 things",
    ]
    assert lines[-1].title == "something.new"
