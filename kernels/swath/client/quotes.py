"""What a run would cost, as the caller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swath.display import clean, credits_text, html_facts, seconds_text, text_table


@dataclass(frozen=True, kw_only=True, repr=False)
class Quote:
    """What a run would cost. Amounts are kept in millicredits; the properties without that word are credits."""

    algorithm: str
    version: str
    hold_millicredits: int
    """Set aside when it starts; what is not used is given back."""
    ceiling_millicredits: int
    """The most that the version's limits allow."""
    p50_millicredits: int | None = None
    """As likely too high as too low; ``None`` when nothing is foretold."""
    p95_millicredits: int | None = None
    upper_millicredits: int | None = None
    """What it stays within in more than 95 of 100 cases."""
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    added_millicredits: int = 0
    """The most of what is held that can be for the author's added value."""
    added_value: str = ""
    """What the author asks, in words; empty when nothing is asked."""
    basis: str = ""
    """``history``, ``benchmark`` or ``cold-start``."""
    explanation: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The quote as the server tells it."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Quote:
        """The quote that the marketplace tells."""
        estimate = told.get("estimate") or {}
        return cls(
            algorithm=str(told.get("algorithm", "")),
            version=str(told.get("version", "")),
            hold_millicredits=int(told.get("hold_millicredits", 0)),
            ceiling_millicredits=int(told.get("ceiling_millicredits", 0)),
            p50_millicredits=estimate.get("p50"),
            p95_millicredits=estimate.get("p95"),
            upper_millicredits=estimate.get("upper"),
            p50_seconds=estimate.get("p50_seconds"),
            p95_seconds=estimate.get("p95_seconds"),
            added_millicredits=int((told.get("added_value") or {}).get("bound", 0)),
            added_value=_asked(told.get("added_value")),
            basis=str(estimate.get("basis", "")),
            explanation=str(estimate.get("explanation", "")),
            data=dict(told),
        )

    @property
    def p50(self) -> float | None:
        """What it most likely costs, in credits."""
        return None if self.p50_millicredits is None else self.p50_millicredits / 1000

    @property
    def upper(self) -> float:
        """What it hardly ever costs more than, in credits, the added value included."""
        known = self.upper_millicredits
        return (self.ceiling_millicredits if known is None else known + self.added_millicredits) / 1000

    @property
    def hold(self) -> float:
        """Credits that are set aside when it starts."""
        return self.hold_millicredits / 1000

    def as_dict(self) -> dict[str, Any]:
        """JSON object as the server tells it."""
        return dict(self.data)

    def facts(self) -> list[tuple[str, str]]:
        """What there is to say, as pairs; nothing is foretold where nothing was learnt."""
        foretold = self.basis not in ("", "cold-start")
        pairs = [
            ("algorithm", f"{self.algorithm}@{self.version}"),
            ("likely", f"{credits_text(self.p50_millicredits)} credits, {seconds_text(self.p50_seconds)}"),
            ("95 of 100", f"up to {credits_text(self.p95_millicredits)} credits, {seconds_text(self.p95_seconds)}"),
            ("upper bound", f"{credits_text(self.upper_millicredits)} credits"),
        ]
        asked = f"up to {credits_text(self.added_millicredits)} credits on top: {self.added_value}"
        return [
            *(pairs if foretold else pairs[:1]),
            *([("added value", asked)] if self.added_value else []),
            ("held", f"{credits_text(self.hold_millicredits)} credits; what is not used is given back"),
            ("limit", f"{credits_text(self.ceiling_millicredits)} credits, whatever it does"),
            ("basis", self.explanation or "the quota service foretells nothing now; the limits count"),
        ]

    def __repr__(self) -> str:
        return text_table(("quote", ""), self.facts())

    def _repr_html_(self) -> str:
        return html_facts([(name, clean(value)) for name, value in self.facts()])


_PER = {"run": "per run", "km2": "per km\N{SUPERSCRIPT TWO}", "cpu_hour": "per CPU-hour"}


def _asked(told: Mapping[str, Any] | None) -> str:
    """What the author asks, in words."""
    if not told:
        return ""
    per = _PER.get(str(told.get("per")), f"per {told.get('per')}")
    area = f" for {told['area_km2']:,.2f} km\N{SUPERSCRIPT TWO}" if told.get("area_km2") is not None else ""
    return f"{credits_text(told.get('millicredits'))} credits {per}{area}, to {told.get('author', 'its author')}"
