"""Prices of added value over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from swath_marketplace.api.bodies import PriceBody
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paths import Name, Owner
from swath_marketplace.domain.added_value import AddedValuePrice
from swath_marketplace.domain.clock import iso
from swath_marketplace.services.added_value import PriceBook

router = APIRouter(tags=["added value"])


@router.get("/algorithms/{owner}/{name}/price")
def price(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """What the author asks on top of the resources, and every price that was set."""
    return _book(services.added_values.price_of(actor, f"{owner}/{name}"))


@router.put("/algorithms/{owner}/{name}/price")
def set_price(owner: Owner, name: Name, *, body: PriceBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Ask a price, or none: its author and operators; 409 while no version is verified."""
    book = services.added_values.set_price(
        actor,
        f"{owner}/{name}",
        per=body.per,
        millicredits=body.millicredits,
        effective_at=body.effective_at,
    )
    return _book(book)


def _book(book: PriceBook) -> dict[str, Any]:
    return {
        "algorithm": book.algorithm,
        "current": _price(book.current) if book.current else None,
        "prices": [_price(price) for price in book.prices],
    }


def _price(price: AddedValuePrice) -> dict[str, Any]:
    return {
        "version": price.sequence,
        "per": price.per.value if price.per else None,
        "millicredits": price.millicredits,
        "set_by": price.set_by,
        "set_at": iso(price.set_at),
        "effective_at": iso(price.effective_at),
    }
