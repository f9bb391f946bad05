"""What something will cost, told before it starts, and what was learnt from what it cost before."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.checks import MAX_HOLD_SECONDS, Checks
from swath_quota.domain.errors import ObservationDiffers, QuoteDiffers
from swath_quota.domain.holds import PurposeKind

MAX_FEATURES = 128
FEATURE_PATTERN = r"^[A-Za-z][A-Za-z0-9_.:=-]{0,127}$"
SUBJECT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@/=-]{0,199}$"
#: No single feature or quantity is larger: logarithms and sums stay ordinary numbers.
MAX_QUANTITY = 1e15
MAX_CPUS = 1e6
MAX_MEMORY_MB = 10**10
#: Fewer observations than this tell nothing; more are not looked at.
LEAST_OBSERVATIONS = 3
MOST_OBSERVATIONS = 200
_FEATURE = re.compile(FEATURE_PATTERN.removesuffix("$") + r"\Z")
_SUBJECT = re.compile(SUBJECT_PATTERN.removesuffix("$") + r"\Z")


class Basis(StrEnum):
    """What a quote stands on."""

    HISTORY = "history"
    """Past runs of the very same subject."""
    BENCHMARK = "benchmark"
    """What its author measured, because it has too few runs."""
    COLD_START = "cold-start"
    """Nothing: the upper bound is the most that its limits allow."""


class ObservationSource(StrEnum):
    """Where an observation comes from."""

    USE = "use"
    """Somebody's run, server or cluster."""
    BENCHMARK = "benchmark"
    """The author's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """The limits of what is quoted; nothing can use more."""

    cpus: float
    """Processor cores, of all workers together."""
    memory_mb: int
    """Reserved memory in MB (1,024 MB = 1 GB), of all workers together."""
    wall_seconds: int
    """The longest that it may take; for a Lab server or a cluster the time that is asked about."""

    def most(self) -> dict[str, float]:
        """The usage that the limits allow."""
        return {
            "cpu_seconds": self.cpus * self.wall_seconds,
            "memory_mb_seconds": float(self.memory_mb * self.wall_seconds),
            "wall_seconds": float(self.wall_seconds),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteRequest:
    """What is asked. The id is made by the client: the same request again gets the same quote."""

    quote_id: str
    kind: PurposeKind
    subject: str
    """What learns from its own past: a version's digest, ``lab:<profile>``, ``dask:<size>``."""
    reserved: Reserved
    features: Mapping[str, float] = field(default_factory=dict)
    """What the amount of work depends on, in numbers."""

    @property
    def batch(self) -> bool:
        """Whether the fee of a batch run is due."""
        return self.kind is PurposeKind.RUN


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """The answer. Amounts are millicredits under the prices of `price_version`."""

    id: str
    kind: PurposeKind
    subject: str
    reserved: Reserved
    features: Mapping[str, float]
    p50: int
    """As likely too high as too low."""
    p95: int
    upper: int
    """What it stays within in more than 95 of 100 cases; never above `ceiling`."""
    hold: int
    """What to set aside before it starts."""
    ceiling: int
    """What the limits allow."""
    p50_seconds: float
    p95_seconds: float
    basis: Basis
    observations: int
    """How many past runs, or measurements of the author, it stands on."""
    explanation: str
    """The basis in words for the one who pays."""
    price_version: str
    created_at: datetime
    valid_until: datetime

    def __post_init__(self) -> None:
        if not 0 <= self.p50 <= self.p95 <= self.upper <= self.hold <= self.ceiling:
            raise ValueError(f"quote {self.id}: its amounts are out of order")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What something used, once it was over. Never changed."""

    id: str
    kind: PurposeKind
    subject: str
    features: Mapping[str, float]
    usage: Mapping[str, float]
    """Cumulative: ``cpu_seconds``, ``memory_mb_seconds``, ``wall_seconds``, …"""
    finished: bool
    """Whether it did what it was asked to. What failed half-way tells nothing of the cost of the whole."""
    at: datetime
    source: ObservationSource = ObservationSource.USE
    quote_id: str = ""
    """The quote that was given for it."""


def check_request(checks: Checks, request: QuoteRequest) -> None:
    """Note every fault of `request`."""
    checks.id("quote_id", value=request.quote_id)
    _subject_and_features(checks, request.subject, request.features)
    reserved = request.reserved
    if not _is_number(reserved.cpus) or not 0 <= reserved.cpus <= MAX_CPUS:
        checks.fault(
            "reserved.cpus", message=f"cpus must be a number from 0 to {MAX_CPUS:.0f}", mend="send such a number"
        )
    checks.integer("reserved.memory_mb", value=reserved.memory_mb, least=0, most=MAX_MEMORY_MB)
    checks.integer("reserved.wall_seconds", value=reserved.wall_seconds, least=1, most=MAX_HOLD_SECONDS)


def check_observation(checks: Checks, observation: Observation) -> None:
    """Note every fault of `observation`."""
    checks.id("id", value=observation.id)
    if observation.quote_id:
        checks.id("quote_id", value=observation.quote_id)
    _subject_and_features(checks, observation.subject, observation.features)
    checks.usage("usage", value=observation.usage)
    if any(_is_number(value) and value > MAX_QUANTITY for value in observation.usage.values()):
        checks.fault("usage", message=f"a quantity is above {MAX_QUANTITY:g}", mend="send what was really used")
    if "wall_seconds" not in observation.usage:
        checks.fault("usage.wall_seconds", message="usage lacks wall_seconds", mend="say how long it took")
    if observation.at.tzinfo is None:
        checks.fault("at", message="at has no time zone", mend="send it with an offset or Z")


def _subject_and_features(checks: Checks, subject: str, features: Mapping[str, float]) -> None:
    if not isinstance(subject, str) or not _SUBJECT.match(subject):
        checks.fault(
            "subject",
            message="subject is not the name of something that is quoted",
            mend="use 1-200 letters, digits and . _ : @ / = -, beginning with a letter or digit",
        )
    if len(features) > MAX_FEATURES:
        checks.fault("features", message=f"features has over {MAX_FEATURES} members", mend="send the weightiest")
    for name, value in features.items():
        if not isinstance(name, str) or not _FEATURE.match(name):
            checks.fault(
                "features",
                message="features has a member whose name is none",
                mend="use 1-128 letters, digits and _ . : = -, beginning with a letter",
            )
        elif not _is_number(value) or abs(value) > MAX_QUANTITY:
            checks.fault(
                f"features.{name}", message="must be a finite number", mend=f"send a number within ±{MAX_QUANTITY:g}"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_quote_replay(existing: Quote, request: QuoteRequest) -> Quote:
    """`existing`, when the same quote is asked for again.

    Raises
    ------
    QuoteDiffers
    """
    same = (existing.kind, existing.subject, existing.reserved, dict(existing.features))
    if same != (request.kind, request.subject, request.reserved, dict(request.features)):
        raise QuoteDiffers(
            code="quote-differs",
            message=f"the id {request.quote_id!r} is taken by the quote of another request",
            mend="make a new id for a new quote",
        )
    return existing


def check_observation_replay(existing: Observation, new: Observation) -> Observation:
    """`existing`, when the same observation is sent again; its time alone may differ.

    Raises
    ------
    ObservationDiffers
    """

    def figures(seen: Observation) -> tuple[object, ...]:
        return seen.kind, seen.subject, seen.source, seen.quote_id, seen.finished, dict(seen.usage), dict(seen.features)

    if figures(existing) != figures(new):
        raise ObservationDiffers(
            code="observation-differs",
            message=f"the id {new.id!r} is taken by an observation with other figures",
            mend="make a new id for a new observation; what was observed is never changed",
        )
    return existing


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How past quotes compare with what was then used, under the prices that each was quoted with."""

    subject: str
    """Empty: of all subjects."""
    quotes: int
    """Quotes of which what followed has ended and is counted."""
    upper_held: float | None
    """Share in which the upper bound held; ``None`` without any."""
    p95_held: float | None
    p50_within_30_percent: float | None
    """Share in which the cost was within 30 % of p50."""
    p50_without_fee_within_30_percent: float | None
    """The same without the fee of a batch run, which everybody can foretell."""
    median_ratio: float | None
    """Median of cost / p50."""
    cold_starts: float | None
    """Share that stood on nothing."""
    unfinished: int
    """What failed or was stopped below its upper bound; it is not counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A quote and what followed, in millicredits."""

    quote: Quote
    cost: int
    fee: int
    finished: bool


def coverage_of(compared: list[Compared], *, subject: str = "") -> Coverage:
    """Coverage over `compared`.

    What failed below its bound says nothing of the bound; what failed above it was the bound's fault and counts.
    """
    counted = [one for one in compared if one.finished or one.cost > one.quote.upper]
    ratios = sorted(one.cost / one.quote.p50 for one in counted if one.quote.p50)

    def share(holds: list[bool]) -> float | None:
        return sum(holds) / len(holds) if holds else None

    return Coverage(
        subject=subject,
        quotes=len(counted),
        upper_held=share([one.cost <= one.quote.upper for one in counted]),
        p95_held=share([one.cost <= one.quote.p95 for one in counted]),
        p50_within_30_percent=share([_near(one.cost, one.quote.p50) for one in counted]),
        p50_without_fee_within_30_percent=share(
            [_near(one.cost - one.fee, one.quote.p50 - one.fee) for one in counted]
        ),
        median_ratio=ratios[len(ratios) // 2] if ratios else None,
        cold_starts=share([one.quote.basis is Basis.COLD_START for one in counted]),
        unfinished=len(compared) - len(counted),
    )


def _near(cost: int, quoted: int) -> bool:
    # Half a millicredit: what was rounded on both sides is not held against a cost of two millicredits.
    return abs(cost - quoted) <= 0.3 * quoted + 0.5
