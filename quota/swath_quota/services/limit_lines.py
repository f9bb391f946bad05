"""The limits of a wallet, for the page."""

from __future__ import annotations

from swath_service.actor import Actor

from swath_quota.domain.limit_lines import LimitLine, LimitReport
from swath_quota.domain.limits import LimitState, Origin, Standing
from swath_quota.services.desk import Desk
from swath_quota.services.limits import standing
from swath_quota.services.reports import as_reader


def limit_report(actor: Actor, desk: Desk, *, account: str) -> LimitReport:
    """Every limit of the wallet `account` and how full it is.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    return report_of(standing(as_reader(actor), desk, account=account))


def report_of(found: Standing) -> LimitReport:
    """The limits that restrict something or are used; who is not restricted need not read of it."""
    shown = [state for state in found.limits if state.hard is not None or state.used]
    return LimitReport(degraded=found.degraded, lines=tuple(map(_line, shown)))


def _line(state: LimitState) -> LimitLine:
    return LimitLine(
        name=state.name,
        unit=state.unit,
        used=state.used,
        limit=state.hard,
        soft=state.soft,
        resets_at=state.resets_at if state.used else None,
        is_own=state.origin is Origin.OVERRIDE,
    )
