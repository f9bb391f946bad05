"""Why something cost what it cost, in terms that can be checked with a pencil."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import Prices, price_run

_TIMES = "\N{MULTIPLICATION SIGN}"


class Verdict(StrEnum):
    """How the terms and the charge go together."""

    EXACT = "exact"
    """The terms are the charge."""
    CAPPED = "capped"
    """The terms are more; no more than what was held was taken."""
    ADDED = "added"
    """The terms are less; the rest is what the algorithm's author asks."""
    REDUCED = "reduced"
    """The terms are more, and less than what was held was taken."""
    FREE = "free"
    """Nothing was taken."""
    FLAT = "flat"
    """A fixed price, whatever was used."""
    UNTOLD = "untold"
    """Nothing was told of what was used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One product of the sum."""

    quantity: float
    unit: str
    price: int
    """Millicredits for one unit."""

    @property
    def amount(self) -> float:
        """Millicredits, not rounded."""
        return self.quantity * self.price


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The terms of a price, and how they make the charge."""

    terms: tuple[Term, ...]
    priced: int
    """Millicredits that the terms come to."""
    verdict: Verdict
    text: str
    """The same as one line, ``0.42 CPU-h`` times 1.5 plus ``1.31 GB-h`` times 1 plus 2 per run make 3.94."""


def explain(prices: Prices, *, kind: PurposeKind, usage: Mapping[str, float], charged: int, held: int) -> Explanation:
    """Take a charge apart.

    Parameters
    ----------
    usage
        ``cpu_seconds`` and ``memory_mb_seconds``, as metered; others have no price.
    charged, held
        Millicredits.
    """
    cpu_seconds, memory = usage.get("cpu_seconds", 0.0), usage.get("memory_mb_seconds", 0.0)
    if "cpu_seconds" not in usage and "memory_mb_seconds" not in usage:
        verdict = Verdict.UNTOLD if charged else Verdict.FREE
        if charged and charged == prices.per_sync_call:
            return Explanation(
                terms=(), priced=charged, verdict=Verdict.FLAT, text=f"{credits_text(charged)} per synchronous call"
            )
        return Explanation(terms=(), priced=0, verdict=verdict, text="")
    terms = [
        Term(quantity=cpu_seconds / 3600, unit="CPU-h", price=prices.per_cpu_hour),
        Term(quantity=memory / 1024 / 3600, unit="GB-h", price=prices.per_gb_hour),
    ]
    if kind is PurposeKind.RUN:
        terms.append(Term(quantity=1, unit="run", price=prices.per_batch_run))
    priced = price_run(prices, cpu_seconds=cpu_seconds, memory_mb_seconds=memory, batch=kind is PurposeKind.RUN)
    verdict = _verdict(priced, charged=charged, held=held)
    return Explanation(
        terms=tuple(terms),
        priced=priced,
        verdict=verdict,
        text=_text(terms, priced=priced, charged=charged, verdict=verdict),
    )


def credits_text(millicredits: int) -> str:
    """Credits as people read them: ``1,234.5``, at most three decimals."""
    whole, rest = divmod(abs(millicredits), 1000)
    text = f"{whole:,}" + (f".{rest:03d}".rstrip("0") if rest else "")
    return f"-{text}" if millicredits < 0 else text


def _verdict(priced: int, *, charged: int, held: int) -> Verdict:
    if charged == priced:
        return Verdict.EXACT
    if not charged:
        return Verdict.FREE
    if charged > priced:
        return Verdict.ADDED
    return Verdict.CAPPED if charged == held else Verdict.REDUCED


def _text(terms: list[Term], *, priced: int, charged: int, verdict: Verdict) -> str:
    parts = [
        f"{credits_text(term.price)} per {term.unit}"
        if term.unit == "run"
        else f"{_quantity(term.quantity)} {term.unit} {_TIMES} {credits_text(term.price)}"
        for term in terms
        if term.price
    ]
    text = f"{' + '.join(parts)} = {credits_text(priced)}" if parts else ""
    if verdict is Verdict.CAPPED:
        return f"{text}; charged {credits_text(charged)}, all that was held"
    if verdict is Verdict.ADDED:
        return f"{text}; and {credits_text(charged - priced)} of the author's"
    if verdict is Verdict.REDUCED:
        return f"{text}; charged {credits_text(charged)}"
    if verdict is Verdict.FREE and priced:
        return f"{text}; not charged"
    return text


def _quantity(number: float) -> str:
    """At most four digits that say something."""
    if number >= 1000:
        return f"{number:,.0f}"
    text = f"{number:.4g}" if number >= 0.001 or not number else f"{number:.1g}"
    return f"{float(text):.10f}".rstrip("0").rstrip(".")
