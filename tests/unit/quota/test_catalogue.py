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


DAYS = (date(2023, 8, 1), date(2023, 12, 1), date(2024, 3, 1), date(2026, 5, 1))
#: Source: the public quota pages of the Copernicus Data Space Ecosystem, one column a typology.
TYPOLOGIES = ("general", "copernicus-services", "collaborative-gs", "international")
FACTS: dict[str, tuple[int | None, ...]] = {
    "runs.starts.minute": (12, 12, 12, 12),
    "runs.concurrent": (2, 20, 10, 10),
    "processing.requests.month": (10_000, 8_000_000, 1_000_000, 10_000),
    "processing.units.month": (10_000_000, 400_000_000, 100_000_000, 10_000_000),
    "api.requests.minute": (300, 1_200, 600, 300),
    "processing.units.minute": (300_000, 1_200_000, 600_000, 300_000),
    # MB/s for each connection, times connections.
    "transfer.rate": (20 * 4 * 10**6, None, 100 * 20 * 10**6, 100 * 15 * 10**6),
    "transfer.connections": (4, 20, 20, 15),
    "transfer.bytes.30d": (None, None, None, None),
    "products.month": (25, 1_000, 1_000, 1_000),
    "lab.storage_mb": (10_240, 10_240, 10_240, 10_240),
    "credits.month": (10_000_000, 20_000_000, 20_000_000, 3_000_000),
}


def test_the_shipped_tiers_have_the_credits_of_the_copernicus_data_space_and_a_local_one() -> None:
    tiers = load_tiers()
    assert {tier.name for tier in tiers.tiers} == {*TYPOLOGIES, "local", "platform"}
    assert tiers.default == "local"
    assert tiers.named("services") == tiers.named("copernicus-services")
    credits = {name: [tiers.named(name).terms_on(day).monthly_allowance // 1000 for day in DAYS] for name in TYPOLOGIES}
    assert credits == {
        "general": [1_000, 3_000, 4_000, 10_000],
        "copernicus-services": [10_000, 10_000, 10_000, 20_000],
        "collaborative-gs": [3_000, 3_000, 3_000, 20_000],
        "international": [3_000, 3_000, 3_000, 3_000],
    }
    assert tiers.named("local").terms_on(DAYS[-1]).monthly_allowance == 10_000_000


@pytest.mark.parametrize("limit", FACTS)
def test_the_shipped_limits_are_those_of_the_copernicus_data_space(limit: str) -> None:
    tiers = load_tiers()
    found = [tiers.named(name).terms_on(DAYS[-1]).by_name()[limit] for name in TYPOLOGIES]
    assert tuple(one.hard for one in found) == FACTS[limit]


def test_general_transfers_twelve_terabytes_in_thirty_days_and_then_one_megabyte_a_second() -> None:
    limit = load_tiers().named("general").terms_on(DAYS[-1]).by_name()["transfer.bytes.30d"]
    assert (limit.window, limit.seconds, limit.soft, limit.hard) == ("rolling", 30 * 24 * 3600, 12 * 10**12, None)
    assert limit.degrade is not None
    assert limit.degrade.limits == {"transfer.rate": 10**6, "transfer.connections": 1}


def test_every_limit_stands_in_every_tier() -> None:
    tiers = load_tiers()
    names = {
        "credits.month", "runs.concurrent", "runs.starts.minute", "api.requests.minute", "processing.requests.month",
        "processing.units.month", "processing.units.minute", "transfer.bytes.30d", "transfer.rate",
        "transfer.connections", "products.month", "results.days", "lab.servers", "lab.cores", "lab.memory_mb",
        "lab.storage_mb", "dask.clusters", "dask.cores", "dask.memory_mb",
    }  # fmt: skip
    assert all(set(terms.by_name()) == names for tier in tiers.tiers for terms in tier.terms)


LIMITED = """
format: 2
default: general
tiers:
  - name: general
    title: General
    description: All.
    terms:
      - effective_on: 2025-01-01
        monthly_credits: 1
        weight: 1
        limits:
          - {name: api.requests.minute, window: rate, unit: request, hard: 10, per_seconds: 60}
          - {name: transfer.bytes.30d, window: rolling, unit: byte, hard: 10, per_days: 30}
          - {name: lab.cores, window: continuous, unit: core, hard: 4, soft: 3, degrade: {text: slow, cores: 0.5}}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (", per_seconds: 60", "", "'per_seconds' is a required property"),
        ("per_seconds: 60", "per_seconds: 60, per_days: 1", "per_days"),
        ("per_seconds: 60", "per_seconds: 60, burst: 0", "minimum of 1"),
        (", per_days: 30", "", "'per_days' is a required property"),
        ("hard: 4, soft", "hard: 4, burst: 2, soft", "burst"),
        ("window: rate", "window: weekly", "is not one of"),
        ("hard: 10, per_seconds", "hard: endless, per_seconds", "is not valid under any"),
        ("hard: 10, per_seconds", "hard: 0.5, per_seconds", "finer than it is counted"),
        (", soft: 3", "", "'soft' is a dependency of 'degrade'"),
        (", degrade: {text: slow, cores: 0.5}", "", "'degrade' is a dependency of 'soft'"),
        ("soft: 3", "soft: 5", "soft limit is above"),
        ("cores: 0.5", "cores: 0", "minimum"),
        ("cores: 0.5", "heat: 0.5", "heat"),
        ("name: lab.cores", "name: Lab", "does not match"),
        ("name: lab.cores", "name: transfer.bytes.30d", "same name"),
        ("name: lab.cores", "name: credits.month", "hard"),
        ("        weight: 1\n", "", "'weight' is a required property"),
        ("format: 2", "format: 1", "limits"),
    ],
)
def test_a_faulty_limit_is_refused_with_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    load_tiers(write(tmp_path, LIMITED))
    assert old in LIMITED
    with pytest.raises(CatalogueInvalid, match=says):
        load_tiers(write(tmp_path, LIMITED.replace(old, new)))


def test_a_limit_is_of_one_kind_in_every_tier(tmp_path: Path) -> None:
    other = LIMITED.replace("name: general", "name: other").replace("unit: core", "unit: cpu")
    with pytest.raises(CatalogueInvalid, match=r"lab\.cores has another window or unit"):
        load_tiers(write(tmp_path, LIMITED + other.partition("tiers:\n")[2]))


def test_a_folder_is_read_as_one_and_names_one_default(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LIMITED)
    (tmp_path / "b.yaml").write_text(LIMITED.replace("default: general\n", "").replace("name: general", "name: b"))
    assert [tier.name for tier in load_tiers(tmp_path).tiers] == ["general", "b"]
    (tmp_path / "b.yaml").write_text(LIMITED.replace("general", "b"))
    with pytest.raises(CatalogueInvalid, match="and 2 do"):
        load_tiers(tmp_path)
    (tmp_path / "a.yaml").write_text(LIMITED.replace("weight: 1", "weight: 0"))
    (tmp_path / "b.yaml").write_text("[")
    with pytest.raises(CatalogueInvalid, match=r"a\.yaml.*minimum.*b\.yaml.*not YAML"):
        load_tiers(tmp_path)


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
        ("format: 1", "format: 3", r"\$\.format"),
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
    text = TIERS.replace("format: 1", "format: 3").replace("0.5", "-1")
    with pytest.raises(CatalogueInvalid, match=r"\$\.format.*\$\.tiers\[0\]\.terms\[0\]|\$\.tiers.*\$\.format"):
        load_tiers(write(tmp_path, text))


def test_a_price_file_needs_every_price(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="credits_per_gb_hour"):
        load_prices(write(tmp_path, "format: 1\nprices: [{effective_on: 2025-01-01, credits_per_cpu_hour: 1}]"))
