"""What may be asked of the quota service. Every function takes the `Actor` first, then the `Desk` it works at."""

from swath_quota.services.auditing import AuditReport, audit
from swath_quota.services.desk import Desk
from swath_quota.services.grants import assign_tier, grant
from swath_quota.services.holds import Placed, capture, extend, get_hold, hold, release, sweep
from swath_quota.services.limits import standing
from swath_quota.services.overrides import override, overrides, revoke
from swath_quota.services.takes import give_back, take
from swath_quota.services.wallets import price_list, statement, tier_list, wallet

__all__ = [
    "AuditReport",
    "Desk",
    "Placed",
    "assign_tier",
    "audit",
    "capture",
    "extend",
    "get_hold",
    "give_back",
    "grant",
    "hold",
    "override",
    "overrides",
    "price_list",
    "release",
    "revoke",
    "standing",
    "statement",
    "sweep",
    "take",
    "tier_list",
    "wallet",
]
