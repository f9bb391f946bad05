from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from swath_quota.catalogue import CatalogueInvalid, load_prices, load_tiers
from swath_quota.domain.errors import NoSuchTier

TIERS = """
format: 1
default: general
tiers:
  - name: general
    title: General
    description: All.
    terms:
      - {effective_on: 2025-01-01, monthly_credits: 0.5}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text)
    return path


def test_the_shipped_tiers_are_two_with_the_terms_of_the_copernicus_data_space() -> None:
    # Source: the quota page of the Copernicus Data Space Ecosystem, openEO credits a month.
    tiers = load_tiers()
    assert [tier.name for tier in tiers.tiers] == ["general", "services"]
    assert tiers.default == "general"
    allowances = {
        (tier.name, day): tier.terms_on(day).monthly_allowance
        for tier in tiers.tiers
        for day in (date(2023, 12, 1), date(2026, 5, 1))
    }
    assert allowances == {
        ("general", date(2023, 12, 1)): 3_000_000,
        ("general", date(2026, 5, 1)): 10_000_000,
        ("services", date(2023, 12, 1)): 10_000_000,
        ("services", date(2026, 5, 1)): 20_000_000,
    }


def test_an_unknown_tier_names_the_known_ones() -> None:
    with pytest.raises(NoSuchTier) as caught:
        load_tiers().named("gold")
    assert "general" in caught.value.mend


def test_an_operators_file_is_read_exactly(tmp_path: Path) -> None:
    tier = load_tiers(write(tmp_path, TIERS)).named("general")
    assert tier.terms_on(date(2026, 1, 1)).monthly_allowance == 500


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format: 1", "format: 2", r"\$\.format"),
        ("default: general", "default: gold", "default must be one of them"),
        ("monthly_credits: 0.5", "monthly_credits: -1", "minimum"),
        ("monthly_credits: 0.5", "monthly_credits: 0.0005", "whole number of millicredits"),
        ("monthly_credits: 0.5", "monthly_credits: many", "is not of type 'number'"),
        ("2025-01-01", "2025-13-01", "month must be in"),
        ("2025-01-01", "soon", "does not match"),
        ("title: General", "title: General\n    colour: red", "colour"),
        ("tiers:", "tiers: [", "not YAML"),
        (
            "monthly_credits: 0.5}",
            "monthly_credits: 0.5}\n      - {effective_on: 2024-01-01, monthly_credits: 1}",
            "ordered",
        ),
    ],
)
def test_a_faulty_file_is_refused_with_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TIERS
    with pytest.raises(CatalogueInvalid, match=says):
        load_tiers(write(tmp_path, TIERS.replace(old, new)))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = TIERS.replace("format: 1", "format: 2").replace("0.5", "-1")
    with pytest.raises(CatalogueInvalid, match=r"\$\.format.*\$\.tiers\[0\]\.terms\[0\]|\$\.tiers.*\$\.format"):
        load_tiers(write(tmp_path, text))


def test_a_price_file_needs_every_price(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="credits_per_gb_hour"):
        load_prices(write(tmp_path, "format: 1\nprices: [{effective_on: 2025-01-01, credits_per_cpu_hour: 1}]"))
