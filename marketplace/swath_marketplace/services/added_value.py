"""Prices that authors ask for their algorithms, and what a run agrees to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from swath.contract.interface import Interface
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid

from swath_marketplace.domain.added_value import AddedValue, AddedValuePrice, Per, area_of, has_area, price_at
from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import NotMature
from swath_marketplace.domain.maturity import EARNING_FROM, LOWEST, MaturitySource
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.added_value import PriceStore

#: How long ahead a price may be announced.
_AHEAD = timedelta(days=366)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBook:
    """What is asked for an algorithm."""

    algorithm: str
    current: AddedValuePrice | None
    """In force now; ``None`` when nothing was ever asked."""
    prices: Sequence[AddedValuePrice]
    """Every price that was set, in that order."""


class AddedValues:
    """Prices, for whoever may see or set them."""

    def __init__(self, *, registry: Registry, prices: PriceStore, maturity: MaturitySource, clock: Clock) -> None:
        self._registry = registry
        self._prices = prices
        self._maturity = maturity
        self._clock = clock

    def set_price(
        self, actor: Actor, path: str, *, per: Per | None, millicredits: int, effective_at: datetime | None = None
    ) -> PriceBook:
        """Ask `millicredits` for each of `per` from `effective_at` on, by default now; nothing when `per` is ``None``.

        Setting what was set last changes nothing. Runs that were made before keep what they agreed to.

        Raises
        ------
        NotMature
            No version that is offered is verified. To ask nothing is always possible.
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.PUBLISH)
        reference = parse_reference(path)
        if not (actor.is_operator or (actor.kind is ActorKind.USER and actor.name == reference.owner)):
            raise Forbidden(
                code="not-the-owner", message=f"{reference.path} is not yours", mend="ask its author or an operator"
            )
        algorithm, now = self._registry.get(actor, reference.path), self._clock()
        _check(per, millicredits=millicredits, effective_at=effective_at, now=now)
        if per is not None:
            self._require_mature(algorithm)
        if per is Per.KM2 and not (algorithm.latest and has_area(Interface.from_dict(algorithm.latest.interface))):
            raise _invalid(
                "per", "the algorithm has no parameter that says for which area", mend="ask by run or CPU-hour"
            )
        known = self._prices.of(algorithm.id)
        current = price_at(known, now)
        if (
            effective_at is None
            and known
            and current == known[-1]
            and (current.per, current.millicredits)
            == (
                per,
                millicredits,
            )
        ):
            return self._book(algorithm)
        self._prices.add(
            AddedValuePrice(
                algorithm_id=algorithm.id,
                sequence=0,
                per=per,
                millicredits=millicredits,
                set_by=actor.name,
                set_at=now,
                effective_at=effective_at or now,
            )
        )
        return self._book(algorithm)

    def price_of(self, actor: Actor, path: str) -> PriceBook:
        """What is asked for an algorithm, and was.

        Raises
        ------
        NotFound
        """
        return self._book(self._registry.get(actor, parse_reference(path).path))

    def agreed(self, version: AlgorithmVersion, parameters: Mapping[str, Any], *, caller: str) -> AddedValue | None:
        """What a run of `version` that `caller` makes now would agree to; ``None`` where nothing is asked of it.

        Its `bound` is yet to be told (`services.holds`).

        Raises
        ------
        Invalid
            The price is by area, and these parameters do not tell which.
        """
        if caller == version.owner:
            return None
        price = price_at(self._prices.of(version.algorithm_id), self._clock())
        if price is None or price.per is None:
            return None
        level = self._maturity.level_of(version)
        if not level.may_earn:
            return None
        interface = Interface.from_dict(version.interface)
        if price.per is Per.KM2 and not has_area(interface):
            # An older version, from before there was an area to ask for.
            return None
        area = area_of(interface, parameters) if price.per is Per.KM2 else None
        if price.per is Per.KM2 and area is None:
            raise Invalid(
                code="area-unknown",
                message=f"{version.path} is paid by the square kilometre, and these parameters do not tell the area",
                mend="give a box or shapes in a coordinate system with an EPSG code",
            )
        return AddedValue(
            author=version.owner,
            per=price.per,
            millicredits=price.millicredits,
            maturity=level.value,
            area_km2=None if area is None else round(area, 6),
            bound=0,
        )

    def _book(self, algorithm: Algorithm) -> PriceBook:
        known = self._prices.of(algorithm.id)
        path = f"{algorithm.owner}/{algorithm.name}"
        return PriceBook(algorithm=path, current=price_at(known, self._clock()), prices=known)

    def _require_mature(self, algorithm: Algorithm) -> None:
        offered = [version for version in algorithm.versions if version.yanked_at is None]
        levels = [self._maturity.level_of(version) for version in offered]
        level = max(levels, key=lambda one: one.rank, default=LOWEST)
        if not level.may_earn:
            raise NotMature(
                code="not-mature",
                message=f"added value may be asked from {EARNING_FROM.value!r} on;"
                f" the most mature version of {algorithm.owner}/{algorithm.name} is {level.value!r}",
                mend="see what is missing: swath maturity OWNER/NAME",
                extra={"needed": EARNING_FROM.value, "level": level.value},
            )


def _check(per: Per | None, *, millicredits: int, effective_at: datetime | None, now: datetime) -> None:
    if (per is None) != (millicredits == 0):
        raise _invalid("millicredits", "a price is above 0, and nothing costs 0", mend="send per null to ask nothing")
    if effective_at is not None and not now <= effective_at <= now + _AHEAD:
        raise _invalid(
            "effective_at", "a price begins now or within a year, never in the past", mend="leave it out for now"
        )


def _invalid(field: str, message: str, *, mend: str) -> Invalid:
    finding = {"field": field, "message": message, "mend": mend}
    return Invalid(code="price-invalid", message=message, mend=mend, findings=[finding])
