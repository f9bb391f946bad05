"""Tier and price files: versioned data, each checked against the schema beside it before anything is believed."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from swath_quota.domain.prices import PriceLists, Prices
from swath_quota.domain.tiers import Terms, Tier, Tiers


class CatalogueInvalid(RuntimeError):
    """A tier or price file is not what its schema says; the message names every fault and where it is."""


class _Loader(yaml.SafeLoader):
    """YAML without its own idea of dates: a day stays the text that the schema's pattern speaks of."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_tiers(path: Path | None = None) -> Tiers:
    """The tiers of `path`, by default those that come with Swath.

    Raises
    ------
    CatalogueInvalid
    """
    found = _read("tiers", path)
    try:
        return Tiers(default=found["default"], tiers=tuple(_tier(tier) for tier in found["tiers"]))
    except ValueError as error:
        raise CatalogueInvalid(f"{_name(path)}: {error}") from error


def load_prices(path: Path | None = None) -> PriceLists:
    """The price lists of `path`, by default those that come with Swath.

    Raises
    ------
    CatalogueInvalid
    """
    found = _read("prices", path)
    try:
        return PriceLists(lists=tuple(_prices(prices) for prices in found["prices"]))
    except ValueError as error:
        raise CatalogueInvalid(f"{_name(path)}: {error}") from error


def _tier(tier: dict[str, Any]) -> Tier:
    return Tier(
        name=tier["name"],
        title=tier["title"],
        description=tier["description"],
        terms=tuple(
            Terms(
                effective_on=date.fromisoformat(terms["effective_on"]),
                monthly_allowance=_millicredits(terms["monthly_credits"]),
            )
            for terms in tier["terms"]
        ),
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
    # Not at the top: compiling schemas costs a fake's importer time that it never needs.
    from jsonschema import Draft202012Validator

    folder = files("swath_quota") / kind
    try:
        text = (path or folder / "swath.yaml").read_text(encoding="utf-8")
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that resolves less
    except OSError as error:
        raise CatalogueInvalid(f"{_name(path)}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogueInvalid(f"{_name(path)}: not YAML: {error}") from error
    validator = Draft202012Validator(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(found)]
    if faults:
        raise CatalogueInvalid(f"{_name(path)}: " + "; ".join(faults))
    assert isinstance(found, dict)
    return found


def _name(path: Path | None) -> str:
    return path.name if path else "the file that comes with Swath"
