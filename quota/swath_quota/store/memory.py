"""Books in memory: the same promises as the SQL store but for surviving the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from swath_quota.domain.accounts import Account
from swath_quota.domain.grants import Draw, Grant, GrantKind
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry, Posting
from swath_quota.domain.members import Membership
from swath_quota.domain.ports import Needs, Reader, Unit

T = TypeVar("T")


@dataclass
class _Contents:
    accounts: dict[str, Account] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    transactions: frozenset[str] = frozenset()
    entries: tuple[LedgerEntry, ...] = ()
    draws: tuple[Draw, ...] = ()
    members: dict[tuple[str, str], Membership] = field(default_factory=dict)

    def copy(self) -> _Contents:
        return replace(
            self,
            accounts=dict(self.accounts),
            holds=dict(self.holds),
            grants=dict(self.grants),
            members=dict(self.members),
        )


class MemoryBooks:
    """`swath_quota.domain.ports.Books` under one lock; each piece of work is done on a copy that replaces the whole."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._contents = _Contents()

    def run(self, work: Callable[[Unit], T], *, needs: Needs | None = None) -> T:
        del needs
        with self._lock:
            contents = self._contents.copy()
            result = work(_MemoryUnit(contents))
            self._contents = contents
            return result

    def read(self, work: Callable[[Reader], T], *, needs: Needs | None = None) -> T:
        del needs
        with self._lock:
            contents = self._contents
        return work(_MemoryUnit(contents))

    def answers(self) -> bool:
        return True


class _MemoryUnit:
    def __init__(self, contents: _Contents) -> None:
        self._all = contents

    def account(self, account_id: str) -> Account | None:
        return self._all.accounts.get(account_id)

    def hold(self, hold_id: str) -> Hold | None:
        return self._all.holds.get(hold_id)

    def grant(self, grant_id: str) -> Grant | None:
        return self._all.grants.get(grant_id)

    def grants(self, account: str) -> tuple[Grant, ...]:
        mine = [grant for grant in self._all.grants.values() if grant.account == account]
        return tuple(sorted(mine, key=lambda grant: (grant.created_at, grant.id)))

    def membership(self, organisation: str, member: str) -> Membership | None:
        return self._all.members.get((organisation, member))

    def memberships(self, *, organisation: str | None = None, member: str | None = None) -> tuple[Membership, ...]:
        return tuple(
            one
            for one in self.all_memberships()
            if organisation in (None, one.organisation) and member in (None, one.member)
        )

    def payer_of(self, member: str) -> str:
        chosen = (one.organisation for one in self.memberships(member=member) if one.is_default)
        return next(chosen, member)

    def posted(self, transaction_id: str) -> bool:
        return transaction_id in self._all.transactions

    def entries(self, account_id: str, *, limit: int, before: int | None = None) -> tuple[LedgerEntry, ...]:
        of_account = [
            entry
            for entry in reversed(self._all.entries)
            if entry.account_id == account_id and (before is None or entry.sequence < before)
        ]
        return tuple(of_account[:limit])

    def entry(self, account_id: str, transaction_id: str) -> LedgerEntry | None:
        mine = (
            one for one in self._all.entries if (one.account_id, one.transaction_id) == (account_id, transaction_id)
        )
        return next(mine, None)

    def overdue(self, now: datetime, *, limit: int, account: str | None = None) -> tuple[Hold, ...]:
        late = [
            hold
            for hold in self._all.holds.values()
            if hold.is_open and hold.expires_at <= now and account in (None, hold.account)
        ]
        return tuple(sorted(late, key=lambda hold: (hold.expires_at, hold.id))[:limit])

    def tiers_in_use(self) -> frozenset[str]:
        return frozenset(account.tier for account in self._all.accounts.values() if account.tier)

    def all_accounts(self) -> Iterator[Account]:
        return iter(sorted(self._all.accounts.values(), key=lambda account: account.id))

    def all_entries(self) -> Iterator[LedgerEntry]:
        return iter(sorted(self._all.entries, key=lambda entry: (entry.account_id, entry.sequence)))

    def all_holds(self) -> Iterator[Hold]:
        return iter(self._all.holds.values())

    def all_grants(self) -> Iterator[Grant]:
        return iter(self._all.grants.values())

    def all_draws(self) -> Iterator[Draw]:
        return iter(self._all.draws)

    def all_memberships(self) -> Iterator[Membership]:
        return iter(self._all.members[key] for key in sorted(self._all.members))

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            self._all.accounts.setdefault(account.id, account)

    def lock(self, account_ids: Iterable[str]) -> dict[str, Account]:
        return {name: self._all.accounts[name] for name in sorted(account_ids) if name in self._all.accounts}

    def save_account(self, account: Account) -> None:
        self._all.accounts[account.id] = account

    def add_hold(self, hold: Hold) -> None:
        _absent(self._all.holds, hold.id)
        self._all.holds[hold.id] = hold

    def save_hold(self, hold: Hold) -> None:
        self._all.holds[hold.id] = hold

    def live_grants(self, account: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self._all.grants.values() if grant.account == account and grant.remaining)

    def allowance_given(self, account: str, *, period: str) -> int:
        return sum(
            grant.amount
            for grant in self._all.grants.values()
            if (grant.account, grant.kind, grant.period) == (account, GrantKind.ALLOWANCE, period)
        )

    def add_grant(self, grant: Grant) -> None:
        _absent(self._all.grants, grant.id)
        self._all.grants[grant.id] = grant

    def save_grant(self, grant: Grant) -> None:
        self._all.grants[grant.id] = grant

    def save_membership(self, membership: Membership) -> None:
        self._all.members[membership.organisation, membership.member] = membership

    def add_draws(self, draws: Iterable[Draw]) -> None:
        self._all.draws += tuple(draws)

    def add_posting(self, posting: Posting) -> None:
        _absent(self._all.transactions, posting.transaction.id)
        self._all.transactions |= {posting.transaction.id}
        self._all.entries += posting.entries
        for account in posting.accounts:
            self.save_account(account)


def _absent(there: Iterable[str], name: str) -> None:
    if name in there:
        raise ValueError(f"{name} is stored already")
