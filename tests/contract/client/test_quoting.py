"""What a run would cost, in Python and in the shell."""

from __future__ import annotations

from typing import Any

import pytest
import swath
from swath.client.errors import Invalid
from swath.client.quotes import Quote


def test_a_quote_is_asked_with_what_a_run_takes(signed_in: Any) -> None:
    told = swath.quote("ada/ndvi@^1", count=2, bbox=(5.0, 51.2, 5.1, 51.3), budget=2.05)
    assert signed_in.bodies == [
        {
            "algorithm": "ada/ndvi@^1",
            "parameters": {"count": 2, "bbox": [5.0, 51.2, 5.1, 51.3]},
            "budget_millicredits": 2050,
        }
    ]
    assert (told.p50, told.upper, told.hold) == (2.01, 2.1, 2.05)
    assert "learnt from 40 past runs" in repr(told)
    assert "2.01 credits, 8.0 s" in told._repr_html_()
    assert not signed_in.runs


def test_what_the_author_asks_is_told_apart() -> None:
    told = Quote.read(
        {
            "algorithm": "a/b",
            "version": "1.0.0",
            "hold_millicredits": 8000,
            "ceiling_millicredits": 8000,
            "estimate": {"p50": 3000, "p95": 4000, "upper": 5000, "basis": "history"},
            "added_value": {"author": "a", "per": "km2", "millicredits": 100, "area_km2": 30.0, "bound": 3000},
        }
    )
    assert dict(told.facts())["added value"] == "up to 3 credits on top: 0.1 credits per km² for 30.00 km², to a"
    assert (told.upper, told.added_millicredits) == (8.0, 3000)


def test_a_quote_of_wrong_parameters_tells_every_finding(signed_in: Any) -> None:
    with pytest.raises(Invalid) as caught:
        swath.quote("ada/ndvi", count=2, colour="red", size=3)
    assert [one["field"] for one in caught.value.findings] == ["colour", "size"]


def test_a_cold_start_foretells_nothing() -> None:
    told = Quote.read(
        {
            "algorithm": "a/b",
            "version": "1.0.0",
            "hold_millicredits": 5000,
            "ceiling_millicredits": 5000,
            "estimate": {"p50": 5000, "basis": "cold-start", "explanation": "cold start: too few <b>past</b> runs"},
        }
    )
    assert [name for name, _ in told.facts()] == ["algorithm", "held", "limit", "basis"]
    assert "<b>" not in told._repr_html_()
    unknown = Quote.read({"hold_millicredits": 5000, "ceiling_millicredits": 5000, "estimate": None})
    assert (unknown.p50, unknown.upper) == (None, 5.0)
