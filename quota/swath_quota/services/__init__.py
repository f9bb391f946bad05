"""What may be asked of the quota service. Every function takes the `Actor` first, then the `Desk` it works at."""

from swath_quota.services.auditing import AuditReport, audit
from swath_quota.services.desk import Desk
from swath_quota.services.grants import assign_tier, grant
from swath_quota.services.holds import Placed, capture, extend, get_hold, hold, release, sweep
from swath_quota.services.quotes import CoverageReport, Given, coverage, get_quote, observe, quote
from swath_quota.services.wallets import price_list, statement, tier_list, wallet

__all__ = [
    "AuditReport",
    "CoverageReport",
    "Desk",
    "Given",
    "Placed",
    "assign_tier",
    "audit",
    "capture",
    "coverage",
    "extend",
    "get_hold",
    "get_quote",
    "grant",
    "hold",
    "observe",
    "price_list",
    "quote",
    "release",
    "statement",
    "sweep",
    "tier_list",
    "wallet",
]
