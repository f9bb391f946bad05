"""Tier and price files: versioned data, each checked against the schema beside it before anything is believed."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from swath_quota.domain.added_value import Split, Splits
from swath_quota.domain.limits import CREDITS, Degrade, Limit, Window
from swath_quota.domain.prices import PriceLists, Prices
from swath_quota.domain.tiers import Terms, Tier, Tiers

#: Units that operators write in whole ones and that are counted in thousandths.
_THOUSANDTHS = {"credit": "millicredit", "processing unit": "milli_processing_unit"}


class CatalogueInvalid(RuntimeError):
    """A tier or price file is not what its schema says; the message names every fault and where it is."""


class _Loader(yaml.SafeLoader):
    """YAML without its own idea of dates: a day stays the text that the schema's pattern speaks of."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_tiers(path: Path | None = None) -> Tiers:
    """The tiers of `path`, a file or a folder of them, by default those that come with Swath.

    Raises
    ------
    CatalogueInvalid
        With the faults of every file. One file, and no more, names the default.
    """
    return _load_tiers(path) if path else shipped_tiers()


def _load_tiers(path: Path | None) -> Tiers:
    folder: Any = path or files("swath_quota") / "tiers"
    places = [folder]
    if folder.is_dir():
        places = sorted((place for place in folder.iterdir() if place.name.endswith(".yaml")), key=lambda p: p.name)
    found, faults = [], []
    for place in places:
        try:
            found.append(_checked("tiers", place, name=place.name))
        except CatalogueInvalid as error:
            faults.append(str(error))
    if faults:
        raise CatalogueInvalid("; ".join(faults))
    defaults = [file["default"] for file in found if "default" in file]
    if len(defaults) != 1:
        raise CatalogueInvalid(f"{_name(path)}: one file names the default tier, and {len(defaults)} do")
    try:
        return Tiers(default=defaults[0], tiers=tuple(_tier(tier) for file in found for tier in file["tiers"]))
    except ValueError as error:
        raise CatalogueInvalid(f"{_name(path)}: {error}") from error


def load_prices(path: Path | None = None) -> PriceLists:
    """The price lists of `path`, by default those that come with Swath.

    Raises
    ------
    CatalogueInvalid
    """
    return _load_prices(path) if path else shipped_prices()


def _load_prices(path: Path | None) -> PriceLists:
    found = _read("prices", path)
    try:
        return PriceLists(lists=tuple(_prices(prices) for prices in found["prices"]))
    except ValueError as error:
        raise CatalogueInvalid(f"{_name(path)}: {error}") from error


def load_splits(path: Path | None = None) -> Splits:
    """The splits of added value of `path`, by default those that come with Swath.

    Raises
    ------
    CatalogueInvalid
    """
    return _load_splits(path) if path else shipped_splits()


def _load_splits(path: Path | None) -> Splits:
    found = _read("splits", path)
    try:
        return Splits(lists=tuple(_split(split) for split in found["splits"]))
    except ValueError as error:
        raise CatalogueInvalid(f"{_name(path)}: {error}") from error


@cache
def shipped_tiers() -> Tiers:
    """The tiers that come with Swath, read once."""
    return _load_tiers(None)


@cache
def shipped_prices() -> PriceLists:
    """The price lists that come with Swath, read once."""
    return _load_prices(None)


@cache
def shipped_splits() -> Splits:
    """The splits that come with Swath, read once."""
    return _load_splits(None)


def _split(split: dict[str, Any]) -> Split:
    discounts = split["research_discounts"]
    return Split(
        effective_on=date.fromisoformat(split["effective_on"]),
        shares=split["author_percent"],
        tier_discounts=discounts.get("tiers", {}),
        grant_discounts=discounts.get("grants", {}),
    )


def _tier(tier: dict[str, Any]) -> Tier:
    return Tier(
        name=tier["name"],
        title=tier["title"],
        description=tier["description"],
        terms=tuple(_terms(terms) for terms in tier["terms"]),
        formerly=tuple(tier.get("formerly", ())),
        wallets=tuple(tier.get("wallets", ())),
    )


def _terms(terms: dict[str, Any]) -> Terms:
    allowance = _millicredits(terms["monthly_credits"])
    return Terms(
        effective_on=date.fromisoformat(terms["effective_on"]),
        monthly_allowance=allowance,
        weight=float(terms.get("weight", 1)),
        limits=tuple(_limit(limit, allowance=allowance) for limit in terms.get("limits", ())),
    )


def _limit(limit: dict[str, Any], *, allowance: int) -> Limit:
    name, unit = limit["name"], limit["unit"]
    scale = 1000 if unit in _THOUSANDTHS else 1

    def amount(key: str) -> int | None:
        value = limit.get(key)
        if value is None or value == "unrestricted":
            return None
        exact = Decimal(str(value)) * scale
        if exact != int(exact):
            raise ValueError(f"{name}: {key} {value} is finer than it is counted")
        return int(exact)

    seconds = limit["per_days"] * 24 * 3600 if "per_days" in limit else limit.get("per_seconds")
    degrade = limit.get("degrade")
    return Limit(
        name=name,
        window=Window(limit["window"]),
        unit=_THOUSANDTHS.get(unit, unit),
        # The month's credits are the allowance: one figure in one place.
        hard=allowance if name == CREDITS else amount("hard"),
        soft=amount("soft"),
        seconds=seconds,
        burst=amount("burst"),
        degrade=Degrade(**degrade) if degrade else None,
    )


def _prices(prices: dict[str, Any]) -> Prices:
    return Prices(
        effective_on=date.fromisoformat(prices["effective_on"]),
        per_cpu_hour=_millicredits(prices["credits_per_cpu_hour"]),
        per_gb_hour=_millicredits(prices["credits_per_gb_hour"]),
        per_batch_run=_millicredits(prices["credits_per_batch_run"]),
        per_sync_call=_millicredits(prices["credits_per_sync_call"]),
        per_storage_gb=_millicredits(prices.get("credits_per_storage_gb", 0)),
        per_transfer_gb=_millicredits(prices.get("credits_per_transfer_gb", 0)),
    )


def _millicredits(credits: float) -> int:
    """`credits` as an operator writes them, exactly."""
    exact = Decimal(str(credits)) * 1000
    if exact != int(exact):
        raise ValueError(f"{credits} credits are not a whole number of millicredits")
    return int(exact)


def _read(kind: str, path: Path | None) -> dict[str, Any]:
    return _checked(kind, path or files("swath_quota") / kind / "swath.yaml", name=_name(path))


def _checked(kind: str, place: Any, *, name: str) -> dict[str, Any]:
    """What stands at `place`, when it is what the schema says."""
    # Not at the top: compiling schemas costs a fake's importer time that it never needs.
    from jsonschema import Draft202012Validator

    folder = files("swath_quota") / kind
    try:
        text = place.read_text(encoding="utf-8")
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that resolves less
    except OSError as error:
        raise CatalogueInvalid(f"{name}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogueInvalid(f"{name}: not YAML: {error}") from error
    validator = Draft202012Validator(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(found)]
    if faults:
        raise CatalogueInvalid(f"{name}: " + "; ".join(faults))
    assert isinstance(found, dict)
    return found


def _name(path: Path | None) -> str:
    return path.name if path else "the file that comes with Swath"
