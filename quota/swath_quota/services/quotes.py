"""Tell what something will cost, learn from what it did cost, and publish how well the two agreed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from swath_service.actor import Actor, Scope

from swath_quota.domain import quotes as rules
from swath_quota.domain.checks import Checks
from swath_quota.domain.errors import NoSuchQuote
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import Prices, price_quantities
from swath_quota.domain.quotes import Basis, Compared, Coverage, Observation, Quote, QuoteRequest
from swath_quota.services.desk import Desk
from swath_quota.services.estimating import Known

if TYPE_CHECKING:
    from swath_quota.services.learning import Forecast

#: How long a quote may be relied on.
VALID_SECONDS = 3600
#: Newest quotes that coverage is measured over.
MOST_COMPARED = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A quote, and whether it was given before."""

    quote: Quote
    replayed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CoverageReport:
    """How past quotes compare with what was then used: altogether, by kind, and for each subject, most quoted first."""

    overall: Coverage
    kinds: Mapping[PurposeKind, Coverage]
    subjects: tuple[Coverage, ...]


def quote(actor: Actor, desk: Desk, request: QuoteRequest) -> Given:
    """What `request` will cost under the prices in force now. Nothing is held.

    Idempotent by `QuoteRequest.quote_id`: a replay answers the first quote, valid or not.

    Raises
    ------
    QuoteDiffers, Invalid, Forbidden
    """
    _may_ask(actor)
    checks = Checks()
    rules.check_request(checks, request)
    checks.done()
    existing = desk.quotes.quote(request.quote_id)
    if existing is None:
        made = _made(desk, request, now=desk.clock())
        existing = desk.quotes.add_quote(made)
        if existing == made:
            return Given(quote=made, replayed=False)
    return Given(quote=rules.check_quote_replay(existing, request), replayed=True)


def get_quote(actor: Actor, desk: Desk, *, quote_id: str) -> Quote:
    """A quote as it was given.

    Raises
    ------
    NoSuchQuote, Invalid, Forbidden
    """
    _may_ask(actor)
    checks = Checks()
    checks.id("quote_id", value=quote_id)
    checks.done()
    found = desk.quotes.quote(quote_id)
    if found is None:
        raise NoSuchQuote(code="no-such-quote", message=f"there is no quote {quote_id!r}", mend="ask for a new one")
    return found


def observe(actor: Actor, desk: Desk, observation: Observation) -> Observation:
    """Remember what something used. Idempotent by the observation's id.

    Raises
    ------
    ObservationDiffers, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    rules.check_observation(checks, observation)
    checks.done()
    return rules.check_observation_replay(desk.quotes.add_observation(observation), observation)


def coverage(actor: Actor, desk: Desk, *, subject: str | None = None) -> CoverageReport:
    """How the newest quotes of which what followed has ended compare with it; of one subject when it is named."""
    _may_ask(actor)
    by_subject: dict[str, list[Compared]] = defaultdict(list)
    by_kind: dict[PurposeKind, list[Compared]] = defaultdict(list)
    for given, seen in desk.quotes.settled(subject=subject, limit=MOST_COMPARED):
        prices = desk.prices.version(given.price_version)
        batch = given.kind is PurposeKind.RUN
        one = Compared(
            quote=given,
            cost=_cost(prices, seen.usage, batch=batch),
            fee=prices.per_batch_run if batch else 0,
            finished=seen.finished,
        )
        by_subject[given.subject].append(one)
        by_kind[given.kind].append(one)
    subjects = [rules.coverage_of(compared, subject=name) for name, compared in by_subject.items()]
    return CoverageReport(
        overall=rules.coverage_of([one for compared in by_kind.values() for one in compared]),
        kinds={kind: rules.coverage_of(compared) for kind, compared in by_kind.items()},
        subjects=tuple(sorted(subjects, key=lambda one: (-one.quotes, one.subject))),
    )


def _may_ask(actor: Actor) -> None:
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)


def _made(desk: Desk, request: QuoteRequest, *, now: datetime) -> Quote:
    prices = desk.prices.on(now.date())
    known = desk.estimators.known(desk.quotes, request.kind, request.subject)
    most = request.reserved.most()
    ceiling = _cost(prices, most, batch=request.batch)
    if known.model is None:
        forecast, basis, seen = None, Basis.COLD_START, 0
    else:
        forecast, basis, seen = known.model.forecast(request.features), known.basis, known.model.observations
    levels = (forecast.p50, forecast.p95, forecast.upper) if forecast else (most, most, most)
    # What the limits allow is never exceeded, quantity by quantity.
    bounded = [{name: min(used, most[name]) for name, used in level.items()} for level in levels]
    p50, p95, upper = (_cost(prices, level, batch=request.batch) for level in bounded)
    if forecast and forecast.unseen:
        upper = ceiling
    upper = max(p50, p95, upper)
    return Quote(
        id=request.quote_id,
        kind=request.kind,
        subject=request.subject,
        reserved=request.reserved,
        features=dict(request.features),
        p50=p50,
        p95=max(p50, p95),
        upper=upper,
        hold=upper,
        ceiling=ceiling,
        p50_seconds=round(bounded[0]["wall_seconds"], 3),
        p95_seconds=round(max(bounded[0]["wall_seconds"], bounded[1]["wall_seconds"]), 3),
        basis=basis,
        observations=seen,
        explanation=_explained(known, forecast),
        price_version=prices.version,
        created_at=now,
        valid_until=now + timedelta(seconds=VALID_SECONDS),
    )


def _cost(prices: Prices, usage: Mapping[str, float], *, batch: bool) -> int:
    """The price of processing alone: what is stored or transferred has no limit that a ceiling could be made of."""
    processing = {name: usage.get(name, 0.0) for name in ("cpu_seconds", "memory_mb_seconds")}
    return price_quantities(prices, processing, batch=batch)


def _explained(known: Known, forecast: Forecast | None) -> str:
    if known.model is None or forecast is None:
        return "cold start: too few past runs to learn from, so these are the most that its limits allow"
    count = known.model.observations
    stands = f"learnt from {count} past runs" if known.basis is Basis.HISTORY else f"from {count} runs of its benchmark"
    if forecast.unseen:
        shown = ", ".join(forecast.unseen[:3]) + (", …" if len(forecast.unseen) > 3 else "")
        return f"{stands}, none of them like this one in {shown}: the upper bound is the most that its limits allow"
    return stands
