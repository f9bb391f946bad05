"""Rows to domain objects and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from swath_quota.domain.accounts import Account, AccountKind, wallet_id, wallet_name
from swath_quota.domain.added_value import AddedValue, Shares
from swath_quota.domain.grants import ANYTHING, Draw, Grant, GrantCategory, GrantKind, GrantScope
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind
from swath_quota.domain.ledger import Direction, LedgerEntry, Transaction, TransactionKind
from swath_quota.domain.members import MemberRole, Membership


def account_of(row: Row[Any]) -> Account:
    """An account."""
    return Account(
        id=row.id,
        kind=AccountKind(row.kind),
        name=row.name,
        tier=row.tier,
        title=row.title,
        balance=row.balance,
        held=row.held,
        sequence=row.sequence,
        head=row.head,
        refresh_at=_utc(row.refresh_at),
        created_at=_utc(row.created_at),
    )


def account_values(account: Account) -> dict[str, Any]:
    """An account's columns."""
    return {
        "id": account.id,
        "kind": str(account.kind),
        "name": account.name,
        "title": account.title,
        **account_changes(account),
        "created_at": account.created_at,
    }


def account_changes(account: Account) -> dict[str, Any]:
    """The columns of an account that may change."""
    return {
        "tier": account.tier,
        "balance": account.balance,
        "held": account.held,
        "sequence": account.sequence,
        "head": account.head,
        "refresh_at": account.refresh_at,
    }


def hold_of(row: Row[Any]) -> Hold:
    """A hold."""
    return Hold(
        id=row.id,
        account=wallet_name(row.account_id),
        member=row.member,
        asked=row.asked,
        amount=row.amount,
        allocations=tuple((str(grant_id), int(part)) for grant_id, part in row.allocations),
        price_version=row.price_version,
        purpose=Purpose(
            kind=PurposeKind(row.purpose_kind),
            reference=row.purpose_reference,
            description=row.purpose_description,
            algorithm=row.algorithm,
        ),
        status=HoldStatus(row.status),
        captured=row.captured,
        usage=row.usage,
        reason=row.reason,
        added_value=AddedValue.from_dict(row.added_value) if row.added_value else None,
        shares=Shares(**row.shares) if row.shares else None,
        created_at=_utc(row.created_at),
        expires_at=_utc(row.expires_at),
        resolved_at=_utc(row.resolved_at),
    )


def hold_values(hold: Hold) -> dict[str, Any]:
    """A hold's columns."""
    return {
        "id": hold.id,
        "account_id": wallet_id(hold.account),
        "member": hold.member,
        "asked": hold.asked,
        "price_version": hold.price_version,
        "algorithm": hold.purpose.algorithm,
        "purpose_kind": str(hold.purpose.kind),
        "purpose_reference": hold.purpose.reference,
        "purpose_description": hold.purpose.description,
        "added_value": hold.added_value.as_dict() if hold.added_value else None,
        **hold_changes(hold),
        "created_at": hold.created_at,
    }


def hold_changes(hold: Hold) -> dict[str, Any]:
    """The columns of a hold that may change."""
    return {
        "amount": hold.amount,
        "allocations": [list(one) for one in hold.allocations],
        "status": str(hold.status),
        "captured": hold.captured,
        "usage": dict(hold.usage),
        "reason": hold.reason,
        "shares": hold.shares.as_dict() if hold.shares else None,
        "expires_at": hold.expires_at,
        "resolved_at": hold.resolved_at,
    }


def grant_of(row: Row[Any]) -> Grant:
    """A grant."""
    return Grant(
        id=row.id,
        account=wallet_name(row.account_id),
        kind=GrantKind(row.kind),
        category=GrantCategory(row.category),
        amount=row.amount,
        remaining=row.remaining,
        held=row.held,
        priority=row.priority,
        period=row.period,
        scope=scope_of(row.scope),
        description=row.description,
        granted_by=row.granted_by,
        created_at=_utc(row.created_at),
        effective_at=_utc(row.effective_at),
        expires_at=_utc(row.expires_at),
    )


def scope_of(data: dict[str, Any]) -> GrantScope:
    """What a grant may be spent on."""
    if not data:
        return ANYTHING
    return GrantScope(kinds=tuple(map(PurposeKind, data["kinds"])), algorithms=tuple(data["algorithms"]))


def grant_values(grant: Grant) -> dict[str, Any]:
    """A grant's columns."""
    return {
        "id": grant.id,
        "account_id": wallet_id(grant.account),
        "kind": str(grant.kind),
        "category": str(grant.category),
        "amount": grant.amount,
        **grant_changes(grant),
        "priority": grant.priority,
        "period": grant.period,
        "scope": {}
        if grant.scope == ANYTHING
        else {"kinds": list(map(str, grant.scope.kinds)), "algorithms": list(grant.scope.algorithms)},
        "description": grant.description,
        "granted_by": grant.granted_by,
        "created_at": grant.created_at,
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
    }


def grant_changes(grant: Grant) -> dict[str, Any]:
    """The columns of a grant that may change."""
    return {"remaining": grant.remaining, "held": grant.held}


def entry_of(row: Row[Any]) -> LedgerEntry:
    """An entry, from its row joined with its transaction's."""
    return LedgerEntry(
        account_id=row.account_id,
        sequence=row.sequence,
        transaction_id=row.transaction_id,
        kind=TransactionKind(row.kind),
        direction=Direction(row.direction),
        amount=row.amount,
        previous_balance=row.previous_balance,
        current_balance=row.current_balance,
        reference=row.reference,
        description=row.description,
        at=row.at,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


def entry_values(entry: LedgerEntry) -> dict[str, Any]:
    """An entry's columns."""
    return {
        "account_id": entry.account_id,
        "sequence": entry.sequence,
        "transaction_id": entry.transaction_id,
        "direction": str(entry.direction),
        "amount": entry.amount,
        "previous_balance": entry.previous_balance,
        "current_balance": entry.current_balance,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def transaction_values(transaction: Transaction) -> dict[str, Any]:
    """A transaction's columns."""
    return {
        "id": transaction.id,
        "kind": str(transaction.kind),
        "reference": transaction.reference,
        "description": transaction.description,
        "actor": transaction.actor,
        "usage": dict(transaction.usage),
        "at": transaction.at,
    }


def draw_of(row: Row[Any]) -> Draw:
    """What a transaction took from a grant."""
    return Draw(transaction_id=row.transaction_id, grant_id=row.grant_id, amount=row.amount)


def draw_values(draw: Draw) -> dict[str, Any]:
    """A draw's columns."""
    return {"transaction_id": draw.transaction_id, "grant_id": draw.grant_id, "amount": draw.amount}


def membership_of(row: Row[Any]) -> Membership:
    """A user's part in an organisation's wallet."""
    return Membership(
        organisation=row.organisation_id,
        member=row.member,
        role=MemberRole(row.role),
        ceiling=row.ceiling,
        is_default=row.is_default,
        period=row.period,
        spent=row.spent,
        held=row.held,
        added_by=row.added_by,
        added_at=_utc(row.added_at),
        removed_at=_utc(row.removed_at),
    )


def membership_values(membership: Membership) -> dict[str, Any]:
    """A membership's columns."""
    return {
        "organisation_id": membership.organisation,
        "member": membership.member,
        "role": str(membership.role),
        "ceiling": membership.ceiling,
        "is_default": membership.is_default,
        "period": membership.period,
        "spent": membership.spent,
        "held": membership.held,
        "added_by": membership.added_by,
        "added_at": membership.added_at,
        "removed_at": membership.removed_at,
    }


def _utc(at: Any) -> Any:
    """A time as SQLAlchemy, the driver or a JSON document gives it; ``None`` is ``None``."""
    if at is None:
        return None
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return at if at.tzinfo is UTC else at.astimezone(UTC)
