"""What may be asked of the quota service. Every function takes the `Actor` first, then the `Desk` it works at."""

from swath_quota.services.auditing import AuditReport, audit
from swath_quota.services.desk import Desk
from swath_quota.services.grants import assign_tier, grant
from swath_quota.services.holds import Placed, capture, extend, get_hold, hold, release, sweep
from swath_quota.services.limits import standing
from swath_quota.services.meter_sweep import sweep_meters
from swath_quota.services.metering import report_usage
from swath_quota.services.organisations import (
    Organisation,
    admit,
    choose_payer,
    dismiss,
    open_organisation,
    organisation,
)
from swath_quota.services.overrides import override, overrides, revoke
from swath_quota.services.payouts import pay_out, payouts_of
from swath_quota.services.progress import progress, usage_page
from swath_quota.services.quotes import CoverageReport, Given, coverage, get_quote, observe, quote
from swath_quota.services.refunds import refund
from swath_quota.services.settling import settle
from swath_quota.services.spendable import spendable_by
from swath_quota.services.takes import give_back, take
from swath_quota.services.wallets import price_list, statement, tier_list, wallet

__all__ = [
    "AuditReport",
    "CoverageReport",
    "Desk",
    "Given",
    "Organisation",
    "Placed",
    "admit",
    "assign_tier",
    "audit",
    "capture",
    "choose_payer",
    "coverage",
    "dismiss",
    "extend",
    "get_hold",
    "get_quote",
    "give_back",
    "grant",
    "hold",
    "observe",
    "open_organisation",
    "organisation",
    "override",
    "overrides",
    "pay_out",
    "payouts_of",
    "price_list",
    "progress",
    "quote",
    "refund",
    "release",
    "report_usage",
    "revoke",
    "settle",
    "spendable_by",
    "standing",
    "statement",
    "sweep",
    "sweep_meters",
    "take",
    "tier_list",
    "usage_page",
    "wallet",
]
