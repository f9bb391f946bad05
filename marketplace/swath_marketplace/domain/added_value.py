"""What an author asks on top of the resources, from when on, and what of it a run agreed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath.contract.interface import Interface
from swath.contract.kinds import Kind

from swath_marketplace.domain.areas import box_km2, geojson_km2


class Per(StrEnum):
    """What a price is for."""

    RUN = "run"
    KM2 = "km2"
    CPU_HOUR = "cpu_hour"


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedValuePrice:
    """A price that an author set. Appended, never changed."""

    algorithm_id: str
    sequence: int
    """Number of the price within its algorithm, from 1."""
    per: Per | None
    """``None``: nothing is asked."""
    millicredits: int
    """For each of `per`; 0 when nothing is asked."""
    set_by: str
    set_at: datetime
    effective_at: datetime
    """Runs that are made from then on pay it."""


def price_at(prices: Iterable[AddedValuePrice], at: datetime) -> AddedValuePrice | None:
    """The price in force at `at`; of two that begin at the same time the one set later."""
    past = [price for price in prices if price.effective_at <= at]
    return max(past, key=lambda price: (price.effective_at, price.sequence), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedValue:
    """What a run agreed to when it was made."""

    author: str
    per: Per
    millicredits: int
    maturity: str
    area_km2: float | None = None
    """What the run was asked for; only where that is paid."""
    bound: int
    """The most of what is held that can be for it, in millicredits."""
    paid: int | None = None
    """What was taken for it, in millicredits, once the run is settled."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "per": self.per.value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AddedValue:
        """What `as_dict` wrote."""
        return cls(**{**data, "per": Per(data["per"])})


def has_area(interface: Interface) -> bool:
    """Whether an interface has a parameter that says for which area a run is."""
    return any(parameter.type.kind in (Kind.BBOX, Kind.GEOJSON) for parameter in interface.parameters)


def area_of(interface: Interface, bound: Mapping[str, Any]) -> float | None:
    """The area that a run with the parameters `bound` is for, in km²; ``None`` where they do not tell.

    That of the largest box, and where there is none that of the largest shapes. Apart from a run's features, where a
    parameter may have any name.
    """
    given = [(one.type.kind, bound[one.name]) for one in interface.parameters if bound.get(one.name) is not None]
    boxes = [box_km2(value) for kind, value in given if kind is Kind.BBOX]
    shapes = [geojson_km2(value) for kind, value in given if kind is Kind.GEOJSON]
    return max((abs(one) for one in boxes if one is not None), default=max(shapes, default=None))
