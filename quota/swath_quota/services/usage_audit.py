"""Verify what was captured against what was reported."""

from __future__ import annotations

from swath_quota.domain.meters import MeterReader
from swath_quota.domain.usage_invariants import UsageBreach, UsageTotals, examine_usage
from swath_quota.services.desk import Desk
from swath_quota.services.metering import frozen_prices


def audit_usage(desk: Desk) -> tuple[tuple[UsageBreach, ...], UsageTotals]:
    """Every breach, and the totals, while others go on writing."""
    # Holds first, in a view of their own: a meter closes before its hold is captured, so what is read of it afterwards
    # stands still.
    holds = desk.books.read(lambda reader: {hold.id: hold for hold in reader.all_holds()})

    def work(reader: MeterReader) -> tuple[tuple[UsageBreach, ...], UsageTotals]:
        return examine_usage(
            meters=tuple(reader.all_meters()),
            events=reader.all_events(),
            holds=holds,
            prices=lambda hold: frozen_prices(desk, hold),
            splits=desk.splits,
        )

    return desk.meters.read(work)
