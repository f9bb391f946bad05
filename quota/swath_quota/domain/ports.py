"""What services ask of a store. The SQL store and the one in memory make the same promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from swath_quota.domain.accounts import Account
from swath_quota.domain.grants import Draw, Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry, Posting
from swath_quota.domain.members import Membership

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a piece of work is going to touch, told beforehand so that many can be done in one transaction.

    All of it is read and locked in one go, in the order of the accounts' ids, before the work begins.
    """

    payer_of: str = ""
    """A user whose wallet, by default or by choice, is going to pay."""
    payer: str = ""
    """The wallet that this user named; empty for the user's own choice."""
    hold: str = ""
    """A hold, whose wallet is locked with it."""
    placing: str = ""
    """A hold that may be there already, and must stand still."""
    settles: bool = False
    """Whether the account that earns what the wallet pays is going to be touched."""
    also: tuple[str, ...] = ()
    """Ids of further accounts."""


class Reader(Protocol):
    """One consistent view: everything read through it is of the same instant."""

    def account(self, account_id: str) -> Account | None: ...

    def hold(self, hold_id: str) -> Hold | None: ...

    def grant(self, grant_id: str) -> Grant | None: ...

    def entries(self, account_id: str, *, limit: int, before: int | None = None) -> tuple[LedgerEntry, ...]:
        """At most `limit` entries with a sequence below `before`, newest first."""
        ...

    def entry(self, account_id: str, transaction_id: str) -> LedgerEntry | None:
        """What a transaction did to an account."""
        ...

    def overdue(self, now: datetime, *, limit: int, account: str | None = None) -> tuple[Hold, ...]:
        """Open holds whose time is over, the longest overdue first."""
        ...

    def grants(self, account: str) -> tuple[Grant, ...]:
        """Every grant a wallet ever got, in the order of creation."""
        ...

    def live_grants(self, account: str) -> tuple[Grant, ...]:
        """The grants of a wallet of which something remains."""
        ...

    def membership(self, organisation: str, member: str) -> Membership | None: ...

    def memberships(self, *, organisation: str | None = None, member: str | None = None) -> tuple[Membership, ...]:
        """Of an organisation, or of a user; those that were ended too."""
        ...

    def posted(self, transaction_id: str) -> bool:
        """Whether a transaction stands in the ledger."""
        ...

    def payer_of(self, member: str) -> str:
        """Short name of the wallet that a user's work is paid from by default."""
        ...

    def tiers_in_use(self) -> frozenset[str]: ...

    def all_accounts(self) -> Iterator[Account]:
        """Every account, by id."""
        ...

    def all_entries(self) -> Iterator[LedgerEntry]:
        """Every entry, by account and sequence."""
        ...

    def all_holds(self) -> Iterator[Hold]: ...

    def all_grants(self) -> Iterator[Grant]: ...

    def all_draws(self) -> Iterator[Draw]: ...

    def all_memberships(self) -> Iterator[Membership]: ...


class Unit(Reader, Protocol):
    """One piece of work: all of it is stored, or none.

    Whoever changes an account, or a hold or grant of it, holds its lock from `lock` until the work ends.
    """

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        """Store accounts that are not there; those that are stay as they are, also when two open the same at once."""
        ...

    def lock(self, account_ids: Iterable[str]) -> dict[str, Account]:
        """The accounts as they stand, locked in the order of their ids; those not there are left out."""
        ...

    def save_account(self, account: Account) -> None: ...

    def add_hold(self, hold: Hold) -> None: ...

    def save_hold(self, hold: Hold) -> None: ...

    def save_membership(self, membership: Membership) -> None:
        """Store a membership, new or changed."""
        ...

    def allowance_given(self, account: str, *, period: str) -> int:
        """The sum of a wallet's allowances for a month, in millicredits."""
        ...

    def add_grant(self, grant: Grant) -> None: ...

    def save_grant(self, grant: Grant) -> None: ...

    def add_draws(self, draws: Iterable[Draw]) -> None: ...

    def add_posting(self, posting: Posting) -> None:
        """Append the transaction and its entries, and save the accounts' new balances."""
        ...


class Books(Protocol):
    """A store of accounts, holds, grants and entries; safe to use from many threads and processes at once.

    A crash leaves each piece of work stored whole or not at all, and locks nothing.
    """

    def run(self, work: Callable[[Unit], T], *, needs: Needs | None = None) -> T:
        """Do `work` atomically. It may be called several times, when others were in the way, and must not mind.

        Work that tells its `needs` may be committed together with other such work: still all or nothing each, and
        answered only when it is durable.
        """
        ...

    def read(self, work: Callable[[Reader], T], *, needs: Needs | None = None) -> T:
        """Do `work`, which only reads, on one consistent view, of an instant after it was asked for.

        Work that tells its `needs` may share the view with other such work; nothing is locked.
        """
        ...

    def answers(self) -> bool:
        """Whether the store can be read now."""
        ...
