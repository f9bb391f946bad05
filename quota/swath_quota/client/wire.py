"""JSON to the domain's types: the inverse of what the API sends. Members that a newer service adds are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from swath_quota.client.limits_wire import limit_of
from swath_quota.domain.added_value import AddedValue, Shares
from swath_quota.domain.grants import Grant, GrantCategory, GrantKind, GrantScope
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind, Refusal, Settlement
from swath_quota.domain.ledger import Direction, LedgerEntry, TransactionKind
from swath_quota.domain.members import MemberRole, Membership
from swath_quota.domain.prices import Prices
from swath_quota.domain.tiers import Terms, Tier, Tiers
from swath_quota.domain.wallets import Statement, Wallet

Json = Mapping[str, Any]


def moment(text: str) -> datetime:
    """An aware time, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment_or_none(text: str | None) -> datetime | None:
    return moment(text) if text else None


def hold_of(data: Json) -> Hold:
    """A hold."""
    purpose = data["purpose"]
    return Hold(
        id=data["id"],
        account=data["account"],
        member=data["member"],
        asked=data["asked"],
        amount=data["amount"],
        allocations=tuple((grant_id, part) for grant_id, part in data["allocations"]),
        price_version=data["price_version"],
        purpose=Purpose(
            kind=PurposeKind(purpose["kind"]),
            reference=purpose["reference"],
            description=purpose["description"],
            algorithm=purpose["algorithm"],
        ),
        status=HoldStatus(data["status"]),
        captured=data["captured"],
        usage=dict(data["usage"]),
        reason=data["reason"],
        added_value=AddedValue.from_dict(data["added_value"]) if data.get("added_value") else None,
        shares=Shares(**data["shares"]) if data.get("shares") else None,
        created_at=moment(data["created_at"]),
        expires_at=moment(data["expires_at"]),
        resolved_at=_moment_or_none(data["resolved_at"]),
    )


def settlement_of(data: Json) -> Settlement:
    """A settlement."""
    return Settlement(
        hold_id=data["hold_id"],
        account=data["account"],
        status=HoldStatus(data["status"]),
        captured=data["captured"],
        returned=data["returned"],
        transaction_id=data["transaction_id"],
        settled_at=moment(data["settled_at"]),
        added_value=data.get("added_value", 0),
    )


def refusal_of(problem: Json) -> Refusal:
    """A refusal, from its problem document."""
    return Refusal(
        code=problem["code"],
        message=problem["detail"],
        retry_at=_moment_or_none(problem.get("retry_at")),
        # Problem documents leave out what is zero.
        limit=problem.get("limit", 0),
        left=problem.get("left", 0),
        limit_name=problem.get("limit_name", "credits"),
        mend=problem.get("mend", ""),
    )


def entry_of(data: Json) -> LedgerEntry:
    """A ledger entry."""
    return LedgerEntry(
        account_id=data["account_id"],
        sequence=data["sequence"],
        transaction_id=data["transaction_id"],
        kind=TransactionKind(data["kind"]),
        direction=Direction(data["direction"]),
        amount=data["amount"],
        previous_balance=data["previous_balance"],
        current_balance=data["current_balance"],
        reference=data["reference"],
        description=data["description"],
        at=moment(data["at"]),
        previous_hash=data["previous_hash"],
        hash=data["hash"],
    )


def wallet_of(data: Json) -> Wallet:
    """A wallet."""
    return Wallet(
        account=data["account"],
        tier=data["tier"],
        balance=data["balance"],
        held=data["held"],
        available=data["available"],
        payer=data["payer"],
        entries=tuple(entry_of(entry) for entry in data["entries"]),
    )


def statement_of(data: Json) -> Statement:
    """A page of entries."""
    return Statement(
        account=data["account"],
        entries=tuple(entry_of(entry) for entry in data["entries"]),
        next_before=data["next_before"],
    )


def grant_of(data: Json) -> Grant:
    """A grant."""
    return Grant(
        id=data["id"],
        account=data["account"],
        kind=GrantKind(data["kind"]),
        category=GrantCategory(data["category"]),
        amount=data["amount"],
        remaining=data["remaining"],
        held=data["held"],
        scope=GrantScope(
            kinds=tuple(map(PurposeKind, data["scope"]["kinds"])), algorithms=tuple(data["scope"]["algorithms"])
        ),
        priority=data["priority"],
        period=data["period"],
        description=data["description"],
        granted_by=data["granted_by"],
        created_at=moment(data["created_at"]),
        effective_at=moment(data["effective_at"]),
        expires_at=_moment_or_none(data["expires_at"]),
    )


def prices_of(data: Json) -> Prices:
    """A price list."""
    return Prices(
        effective_on=date.fromisoformat(data["effective_on"]),
        per_cpu_hour=data["per_cpu_hour"],
        per_gb_hour=data["per_gb_hour"],
        per_batch_run=data["per_batch_run"],
        per_sync_call=data["per_sync_call"],
        per_storage_gb=data.get("per_storage_gb", 0),
        per_transfer_gb=data.get("per_transfer_gb", 0),
    )


def tiers_of(data: Json) -> Tiers:
    """Every tier."""
    return Tiers(
        default=data["default"],
        tiers=tuple(
            Tier(
                name=tier["name"],
                title=tier["title"],
                description=tier["description"],
                terms=tuple(
                    Terms(
                        effective_on=date.fromisoformat(terms["effective_on"]),
                        monthly_allowance=terms["monthly_allowance"],
                        weight=terms.get("weight", 1.0),
                        limits=tuple(limit_of(limit) for limit in terms.get("limits", ())),
                    )
                    for terms in tier["terms"]
                ),
                formerly=tuple(tier.get("formerly", ())),
                wallets=tuple(tier.get("wallets", ())),
            )
            for tier in data["tiers"]
        ),
    )


def membership_of(data: Json) -> Membership:
    """A membership."""
    return Membership(
        organisation=data["organisation"],
        member=data["member"],
        role=MemberRole(data["role"]),
        ceiling=data["ceiling"],
        is_default=data["is_default"],
        period=data["period"],
        spent=data["spent"],
        held=data["held"],
        added_by=data["added_by"],
        added_at=moment(data["added_at"]),
        removed_at=_moment_or_none(data["removed_at"]),
    )
