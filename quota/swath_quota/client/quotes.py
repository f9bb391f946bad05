"""Quotes from outside: what is promised, asked over HTTP, and without a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol
from urllib.parse import quote as _quoted

from swath_service.actor import Actor

from swath_quota import services
from swath_quota.client import wire
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quotes import Basis, Observation, Quote, QuoteRequest, Reserved
from swath_quota.services.desk import Desk


class QuotesClient(Protocol):
    """The part of `swath_quota.client.QuotaClient` about quotes."""

    def quote(self, request: QuoteRequest) -> Quote:
        """What `request` will cost under the prices in force. Nothing is held.

        A replay answers the first quote, whose `valid_until` may have passed.

        Raises
        ------
        QuoteDiffers
            The id is taken by the quote of another request.
        """
        ...

    def get_quote(self, quote_id: str) -> Quote:
        """A quote as it was given.

        Raises
        ------
        NoSuchQuote
        """
        ...

    def observe(self, observation: Observation) -> None:
        """Let the quotes to come learn from what something used, and compare it with its own.

        A replay changes nothing; its `at` alone may differ.

        Raises
        ------
        ObservationDiffers
            The id is taken by an observation with other figures.
        """
        ...


class HttpQuotes:
    """Mixed into `swath_quota.client.HttpQuotaClient`."""

    _ask: Callable[..., dict[str, Any]]

    def quote(self, request: QuoteRequest) -> Quote:
        body = {**asdict(request), "features": dict(request.features)}
        return _quote_of(self._ask("POST", "quotes", body=body))

    def get_quote(self, quote_id: str) -> Quote:
        return _quote_of(self._ask("GET", f"quotes/{_quoted(quote_id, safe='')}"))

    def observe(self, observation: Observation) -> None:
        body = {**asdict(observation), "at": observation.at.isoformat(), "quote_id": observation.quote_id or None}
        self._ask("POST", "observations", body=body)


class FakeQuotes:
    """Mixed into `swath_quota.client.FakeQuotaClient`."""

    _actor: Actor

    @property
    def _desk(self) -> Desk:
        raise TypeError("mixed into a client that has a desk")

    def quote(self, request: QuoteRequest) -> Quote:
        return services.quote(self._actor, self._desk, request).quote

    def get_quote(self, quote_id: str) -> Quote:
        return services.get_quote(self._actor, self._desk, quote_id=quote_id)

    def observe(self, observation: Observation) -> None:
        services.observe(self._actor, self._desk, observation)

    def coverage(self) -> services.CoverageReport:
        """How past quotes held."""
        return services.coverage(self._actor, self._desk)


def _quote_of(data: wire.Json) -> Quote:
    reserved = data["reserved"]
    return Quote(
        id=data["id"],
        kind=PurposeKind(data["kind"]),
        subject=data["subject"],
        reserved=Reserved(
            cpus=reserved["cpus"], memory_mb=reserved["memory_mb"], wall_seconds=reserved["wall_seconds"]
        ),
        features=dict(data["features"]),
        p50=data["p50"],
        p95=data["p95"],
        upper=data["upper"],
        hold=data["hold"],
        ceiling=data["ceiling"],
        p50_seconds=data["p50_seconds"],
        p95_seconds=data["p95_seconds"],
        basis=Basis(data["basis"]),
        observations=data["observations"],
        explanation=data["explanation"],
        price_version=data["price_version"],
        created_at=wire.moment(data["created_at"]),
        valid_until=wire.moment(data["valid_until"]),
    )
