"""The limits of a wallet, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Protocol

from swath_service.actor import Actor

from swath_quota.domain.limit_lines import LimitLine, LimitReport
from swath_quota.services.desk import Desk
from swath_quota.services.reports import as_reader


class _State(Protocol):
    """How full one limit is, as far as the page tells it."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def used(self) -> int: ...
    @property
    def hard(self) -> int | None: ...
    @property
    def soft(self) -> int | None: ...
    @property
    def resets_at(self) -> datetime | None: ...
    @property
    def origin(self) -> str: ...


class _Standing(Protocol):
    """What an account may do now."""

    @property
    def degraded(self) -> Sequence[str]: ...
    @property
    def limits(self) -> Sequence[_State]: ...


def limit_report(actor: Actor, desk: Desk, *, account: str) -> LimitReport:
    """Every limit of the wallet `account` and how full it is.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    standing = getattr(import_module("swath_quota.services"), "standing", None)
    # Where no limits are kept there are none to show.
    return LimitReport() if standing is None else report_of(standing(as_reader(actor), desk, account=account))


def report_of(standing: _Standing) -> LimitReport:
    """The limits that restrict something or are used; who is not restricted need not read of it."""
    shown = [state for state in standing.limits if state.hard is not None or state.used]
    return LimitReport(degraded=tuple(standing.degraded), lines=tuple(map(_line, shown)))


def _line(state: _State) -> LimitLine:
    return LimitLine(
        name=state.name,
        unit=state.unit,
        used=state.used,
        limit=state.hard,
        soft=state.soft,
        resets_at=state.resets_at if state.used else None,
        is_own=state.origin == "override",
    )
