"""What may be asked of the quota service. Every function takes the `Actor` first, then the `Desk` it works at."""

from swath_quota.services.auditing import AuditReport, audit
from swath_quota.services.desk import Desk
from swath_quota.services.grants import assign_tier, grant
from swath_quota.services.holds import Placed, capture, extend, get_hold, hold, release, sweep
from swath_quota.services.organisations import (
    Organisation,
    admit,
    choose_payer,
    dismiss,
    open_organisation,
    organisation,
)
from swath_quota.services.refunds import refund
from swath_quota.services.wallets import price_list, statement, tier_list, wallet

__all__ = [
    "AuditReport",
    "Desk",
    "Organisation",
    "Placed",
    "admit",
    "assign_tier",
    "audit",
    "capture",
    "choose_payer",
    "dismiss",
    "extend",
    "get_hold",
    "grant",
    "hold",
    "open_organisation",
    "organisation",
    "price_list",
    "refund",
    "release",
    "statement",
    "sweep",
    "tier_list",
    "wallet",
]
