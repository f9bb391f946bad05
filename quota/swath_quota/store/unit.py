"""One transaction's view of the books: what it read stays read, what it changed is written once, at the end.

Holding changes back makes two things possible: many pieces of work can share one transaction, each seeing what those
before it did, and a piece that fails can be undone without the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select

from swath_quota.domain.accounts import Account, platform_of, wallet_id
from swath_quota.domain.grants import Draw, Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry, Posting, Transaction
from swath_quota.domain.members import Membership
from swath_quota.domain.ports import Needs
from swath_quota.store import loading, rows, statements, writing

#: Rows that an audit fetches at a time.
_PAGE = 1000
#: Above every sequence.
_BEYOND = 2**62


class SqlUnit:
    """`swath_quota.domain.ports.Unit` on one connection, whose transaction the caller begins and ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # What was read, and what became of it since. ``None`` for what is not there.
        self._accounts: dict[str, Account | None] = {}
        self._holds: dict[str, Hold | None] = {}
        self._grants: dict[str, dict[str, Grant]] = {}
        self._members: dict[tuple[str, str], Membership | None] = {}
        self._payers: dict[str, str] = {}
        # What is to be written. Sets keep the order in which they were filled.
        self._changed_accounts: dict[str, None] = {}
        self._new_holds: dict[str, None] = {}
        self._changed_holds: dict[str, None] = {}
        self._new_grants: dict[str, Grant] = {}
        self._changed_grants: dict[str, Grant] = {}
        self._changed_members: dict[tuple[str, str], None] = {}
        self._transactions: list[Transaction] = []
        self._entries: list[LedgerEntry] = []
        self._draws: list[Draw] = []
        self._undo: list[Callable[[], None]] | None = None

    # ---- many pieces of work in one transaction

    def prepare(self, needs: Iterable[Needs], *, locks: bool = True) -> None:
        """Read, and with `locks` lock, at once what pieces of work are going to touch."""
        needs = tuple(needs)
        choosing = {one.payer_of for one in needs if one.payer_of and not one.payer}
        ids = {wallet_id(one.payer or one.payer_of) for one in needs if one.payer or one.payer_of}
        ids.update(*(one.also for one in needs))
        spenders = {one.payer_of for one in needs if one.payer_of}
        settling = {one.hold for one in needs if one.settles}
        found = {one.hold for one in needs if one.hold}
        if found:
            for row in loading.parties(self._connection, found):
                ids.add(row.account_id)
                spenders.add(row.member)
                if row.id in settling:
                    ids.add(platform_of(row.account_id))
        holds = found | {one.placing for one in needs if one.placing}
        self._load(ids=ids, choosing=choosing, holds=holds, spenders=spenders, locks=locks)

    def attempt(self, work: Callable[[], Any]) -> Any:
        """Do `work`; when it raises, everything that it changed is as it was, and the error goes on."""
        self._undo = []
        try:
            return work()
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            raise
        finally:
            self._undo = None

    def flush(self) -> None:
        """Write what was changed; where that saves a round trip, the transaction is ended with it."""
        accounts = (self._accounts[name] for name in sorted(self._changed_accounts))
        new_holds, holds = ([self._hold(name) for name in names] for names in (self._new_holds, self._changed_holds))
        members = (self._members[key] for key in self._changed_members)
        changes = [
            (writing.SAVE_ACCOUNTS, [{"id": one.id, **rows.account_changes(one)} for one in accounts if one]),
            (writing.ADD_HOLDS, list(map(rows.hold_values, new_holds))),
            (writing.SAVE_HOLDS, [{"id": one.id, **rows.hold_changes(one)} for one in holds]),
            (writing.ADD_GRANTS, list(map(rows.grant_values, self._new_grants.values()))),
            (
                writing.SAVE_GRANTS,
                [{"id": name, **rows.grant_changes(one)} for name, one in self._changed_grants.items()],
            ),
            (writing.SAVE_MEMBERS, [rows.membership_values(one) for one in members if one]),
            (writing.ADD_TRANSACTIONS, list(map(rows.transaction_values, self._transactions))),
            (writing.ADD_ENTRIES, list(map(rows.entry_values, self._entries))),
            (writing.ADD_DRAWS, list(map(rows.draw_values, self._draws))),
        ]
        wanted = [(one, values) for one, values in changes if values]
        if wanted:
            writing.write(self._connection, wanted)

    # ---- reading

    def account(self, account_id: str) -> Account | None:
        if account_id in self._accounts:
            return self._accounts[account_id]
        row = self._first(statements.ACCOUNT, {"the_id": account_id})
        return rows.account_of(row) if row else None

    def hold(self, hold_id: str) -> Hold | None:
        if hold_id not in self._holds:
            # Not remembered: it may stand still only once its account is locked.
            row = self._first(statements.HOLD_IN, {"the_ids": [hold_id]})
            return rows.hold_of(row) if row else None
        return self._holds[hold_id]

    def grant(self, grant_id: str) -> Grant | None:
        for known in (self._new_grants, self._changed_grants):
            if grant_id in known:
                return known[grant_id]
        row = self._first(statements.GRANT, {"the_id": grant_id})
        return rows.grant_of(row) if row else None

    def grants(self, account: str) -> tuple[Grant, ...]:
        stored = map(rows.grant_of, self._all(statements.GRANTS_OF_ACCOUNT, {"the_account": wallet_id(account)}))
        mine = [grant for grant in self._new_grants.values() if grant.account == account]
        return tuple(self._changed_grants.get(grant.id, grant) for grant in [*stored, *mine])

    def membership(self, organisation: str, member: str) -> Membership | None:
        if (organisation, member) not in self._members:
            row = self._first(statements.MEMBER, {"the_organisation": organisation, "the_member": member})
            self._members[organisation, member] = rows.membership_of(row) if row else None
        return self._members[organisation, member]

    def memberships(self, *, organisation: str | None = None, member: str | None = None) -> tuple[Membership, ...]:
        if organisation is not None:
            found = self._all(statements.MEMBERS_OF, {"the_organisations": [organisation]})
        else:
            found = self._all(statements.MEMBERSHIPS_OF, {"the_members": [member or ""]})
        mine = map(rows.membership_of, found)
        return tuple(one for one in mine if member is None or one.member == member)

    def payer_of(self, member: str) -> str:
        if member not in self._payers:
            self._load_payers({member})
        return self._payers[member]

    def posted(self, transaction_id: str) -> bool:
        if any(one.id == transaction_id for one in self._transactions):
            return True
        return bool(self._connection.scalar(statements.POSTED, {"the_id": transaction_id}))

    def entries(self, account_id: str, *, limit: int, before: int | None = None) -> tuple[LedgerEntry, ...]:
        values = {"the_account": account_id, "before": before or _BEYOND, "most": limit}
        return tuple(map(rows.entry_of, self._all(statements.ENTRIES_OF_ACCOUNT, values)))

    def entry(self, account_id: str, transaction_id: str) -> LedgerEntry | None:
        for known in self._entries:
            if (known.account_id, known.transaction_id) == (account_id, transaction_id):
                return known
        row = self._first(statements.ENTRY, {"the_account": account_id, "the_transaction": transaction_id})
        return rows.entry_of(row) if row else None

    def overdue(self, now: datetime, *, limit: int, account: str | None = None) -> tuple[Hold, ...]:
        values: dict[str, Any] = {"now": now, "most": limit}
        if account is None:
            found = self._all(statements.OVERDUE, values)
        else:
            found = self._all(statements.OVERDUE_OF_ACCOUNT, {**values, "the_account": wallet_id(account)})
        # What this transaction did to them is not in the database yet.
        late = (self._holds.get(row.id) or rows.hold_of(row) for row in found)
        return tuple(hold for hold in late if hold.is_open and hold.expires_at <= now)

    def tiers_in_use(self) -> frozenset[str]:
        return frozenset(self._connection.scalars(statements.TIERS))

    def all_accounts(self) -> Iterator[Account]:
        return map(rows.account_of, self._stream(statements.ALL_ACCOUNTS))

    def all_entries(self) -> Iterator[LedgerEntry]:
        return map(rows.entry_of, self._stream(statements.ALL_ENTRIES))

    def all_holds(self) -> Iterator[Hold]:
        return map(rows.hold_of, self._stream(statements.ALL_HOLDS))

    def all_grants(self) -> Iterator[Grant]:
        return map(rows.grant_of, self._stream(statements.ALL_GRANTS))

    def all_draws(self) -> Iterator[Draw]:
        return map(rows.draw_of, self._stream(statements.ALL_DRAWS))

    def all_memberships(self) -> Iterator[Membership]:
        return map(rows.membership_of, self._stream(statements.ALL_MEMBERS))

    # ---- changing

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        # In the order of their ids: two that open the same wait for each other, and must not wait crosswise.
        values = sorted((rows.account_values(account) for account in accounts), key=lambda value: str(value["id"]))
        self._connection.execute(statements.open_accounts(self._connection.dialect.name), values)
        for value in values:
            if self._accounts.get(value["id"]) is None:
                self._accounts.pop(value["id"], None)

    def lock(self, account_ids: Iterable[str]) -> dict[str, Account]:
        wanted = sorted(set(account_ids))
        self._load_accounts({name for name in wanted if name not in self._accounts})
        found = ((name, self._accounts[name]) for name in wanted)
        return {name: account for name, account in found if account}

    def save_account(self, account: Account) -> None:
        self._put(self._accounts, account.id, account)
        self._put(self._changed_accounts, account.id, None)

    def add_hold(self, hold: Hold) -> None:
        self._put(self._holds, hold.id, hold)
        self._put(self._new_holds, hold.id, None)

    def save_hold(self, hold: Hold) -> None:
        self._put(self._holds, hold.id, hold)
        if hold.id not in self._new_holds:
            self._put(self._changed_holds, hold.id, None)

    def live_grants(self, account: str) -> tuple[Grant, ...]:
        account_id = wallet_id(account)
        if account_id not in self._grants:
            self._load_grants([account_id])
        return tuple(grant for grant in self._grants[account_id].values() if grant.remaining)

    def allowance_given(self, account: str, *, period: str) -> int:
        values = {"the_account": wallet_id(account), "the_period": period}
        return int(self._connection.scalar(statements.ALLOWANCE_GIVEN, values) or 0)

    def add_grant(self, grant: Grant) -> None:
        self._put(self._new_grants, grant.id, grant)
        if wallet_id(grant.account) in self._grants:
            self._put(self._grants[wallet_id(grant.account)], grant.id, grant)

    def save_grant(self, grant: Grant) -> None:
        known = self._grants.get(wallet_id(grant.account))
        if known is not None:
            self._put(known, grant.id, grant)
        self._put(self._new_grants if grant.id in self._new_grants else self._changed_grants, grant.id, grant)

    def save_membership(self, membership: Membership) -> None:
        key = membership.organisation, membership.member
        self._put(self._members, key, membership)
        self._put(self._changed_members, key, None)

    def add_draws(self, draws: Iterable[Draw]) -> None:
        self._append(self._draws, draws)

    def add_posting(self, posting: Posting) -> None:
        self._append(self._transactions, [posting.transaction])
        self._append(self._entries, posting.entries)
        for account in posting.accounts:
            self.save_account(account)

    # ---- below

    def _hold(self, hold_id: str) -> Hold:
        found = self._holds[hold_id]
        assert found is not None
        return found

    def _put(self, where: dict[Any, Any], key: Any, value: Any) -> None:
        if self._undo is not None:
            if key in where:
                self._undo.append(lambda old=where[key]: where.__setitem__(key, old))  # type: ignore[misc]
            else:
                self._undo.append(lambda: where.pop(key, None))
        where[key] = value

    def _append(self, where: list[Any], values: Iterable[Any]) -> None:
        if self._undo is not None:
            length = len(where)
            self._undo.append(lambda: where.__delitem__(slice(length, None)))
        where.extend(values)

    def _load(self, *, ids: set[str], choosing: set[str], holds: set[str], spenders: set[str], locks: bool) -> None:
        accounts, payers, placed, grants, members = loading.load(
            self._connection, ids=ids, choosing=choosing, holds=holds, spenders=spenders, locks=locks
        )
        self._payers.update({name: name for name in choosing})
        self._payers.update({row.member: row.organisation_id for row in payers})
        # An organisation chosen after the accounts were locked is asked for when it is needed.
        self._accounts.update(dict.fromkeys(ids))
        self._accounts.update({row.id: rows.account_of(row) for row in accounts})
        found = {row.id: rows.hold_of(row) for row in placed}
        # A hold whose account is not locked may have been stored since, and does not stand still: it is asked for anew.
        mine = {name: hold for name, hold in found.items() if wallet_id(hold.account) in self._accounts}
        self._holds.update({name: mine.get(name) for name in holds if name in mine or name not in found})
        # Of what is not locked nothing is remembered: it may have been chosen between two of the questions.
        self._grants.update({name: {} for name in self._accounts})
        for row in grants:
            if row.account_id in self._grants:
                self._grants[row.account_id][row.id] = rows.grant_of(row)
        for row in members:
            if row.organisation_id in self._accounts:
                self._members[row.organisation_id, row.member] = rows.membership_of(row)

    def _load_accounts(self, names: set[str]) -> None:
        if names:
            found = {row.id: rows.account_of(row) for row in self._all(statements.LOCK, {"the_ids": sorted(names)})}
            self._accounts.update({name: found.get(name) for name in names})

    def _load_grants(self, wallets: Iterable[str]) -> None:
        wanted = sorted(wallets)
        if wanted:
            self._grants.update({name: {} for name in wanted})
            for row in self._all(statements.LIVE_GRANTS, {"the_accounts": wanted}):
                grant = rows.grant_of(row)
                self._grants[row.account_id][grant.id] = grant
            # What this transaction gave or changed is not in the database yet.
            for grant in [*self._new_grants.values(), *self._changed_grants.values()]:
                if wallet_id(grant.account) in wanted:
                    self._grants[wallet_id(grant.account)][grant.id] = grant

    def _load_payers(self, members: set[str]) -> None:
        if members:
            self._payers.update({name: name for name in members})
            for row in self._all(statements.PAYERS, {"the_members": sorted(members)}):
                self._payers[row.member] = row.organisation_id

    def _first(self, query: Select[Any], values: dict[str, Any]) -> Row[Any] | None:
        return self._connection.execute(query, values).one_or_none()

    def _all(self, query: Select[Any], values: dict[str, Any]) -> Sequence[Row[Any]]:
        return self._connection.execute(query, values).all()

    def _stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        return iter(self._connection.execution_options(yield_per=_PAGE).execute(query))
