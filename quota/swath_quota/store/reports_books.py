"""Reports over any books by reading all of them: what the SQL store must answer too, and enough for books in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime

from swath_quota.domain.accounts import wallet_id
from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold, refund_id
from swath_quota.domain.ledger import LedgerEntry, TransactionKind, signed
from swath_quota.domain.ports import Books, Reader
from swath_quota.domain.reports import Cursor, DayChange, Settled, Spending, SpendingBy, Window, spending_of


class BooksReports:
    """`swath_quota.domain.report_ports.ReportStore` over `Books`."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def window(self, account_id: str, *, start: datetime, end: datetime) -> Window:
        def work(reader: Reader) -> Window:
            entries = _entries(reader, account_id)
            return Window(
                opening=_sum(entry for entry in entries if entry.at < start),
                entries=tuple(entry for entry in entries if start <= entry.at < end),
                closing=_sum(entry for entry in entries if entry.at < end),
            )

        return self._books.read(work)

    def days(self, account_id: str, *, start: datetime, end: datetime) -> tuple[int, tuple[DayChange, ...]]:
        found = self.window(account_id, start=start, end=end)
        sums: defaultdict[tuple[date, TransactionKind], list[int]] = defaultdict(lambda: [0, 0])
        for entry in found.entries:
            so_far = sums[(entry.at.astimezone(UTC).date(), entry.kind)]
            so_far[0] += signed(entry.direction, entry.amount)
            so_far[1] += 1
        changes = [
            DayChange(day=day, kind=kind, change=change, count=count) for (day, kind), (change, count) in sums.items()
        ]
        return found.opening, tuple(sorted(changes, key=lambda one: (one.day, one.kind)))

    def settled(
        self,
        account_id: str,
        *,
        start: datetime,
        end: datetime,
        limit: int,
        after: Cursor | None = None,
        member: str | None = None,
    ) -> tuple[Settled, ...]:
        found = self._settled(account_id, start=start, end=end, member=member)
        if after is not None:
            found = [one for one in found if _place(one) < (after.at, after.hold_id)]
        return tuple(found[:limit])

    def open_holds(self, account_id: str, *, limit: int, member: str | None = None) -> tuple[Hold, ...]:
        def work(reader: Reader) -> list[Hold]:
            return [hold for hold in _holds(reader, account_id, member=member) if hold.is_open]

        return tuple(sorted(self._books.read(work), key=lambda hold: (hold.created_at, hold.id))[:limit])

    def grants(self, account_id: str, *, limit: int, live: bool = False) -> tuple[Grant, ...]:
        def work(reader: Reader) -> list[Grant]:
            return [
                grant
                for grant in reader.all_grants()
                if wallet_id(grant.account) == account_id and (grant.remaining or not live)
            ]

        found = sorted(self._books.read(work), key=lambda grant: (grant.created_at, grant.id), reverse=True)
        return tuple(found[:limit])

    def spending(
        self, account_id: str, *, start: datetime, end: datetime, by: SpendingBy, member: str | None = None
    ) -> tuple[Spending, ...]:
        return spending_of(self._settled(account_id, start=start, end=end, member=member), by=by)

    def opened_at(self, account_id: str) -> datetime | None:
        found = self._books.read(lambda reader: reader.account(account_id))
        return found.created_at if found else None

    def _settled(self, account_id: str, *, start: datetime, end: datetime, member: str | None) -> list[Settled]:
        def work(reader: Reader) -> list[Settled]:
            refunds = {
                entry.transaction_id: entry.amount
                for entry in _entries(reader, account_id)
                if entry.kind is TransactionKind.REFUND
            }
            return [
                Settled(hold=hold, refunded=refunds.get(refund_id(hold.id), 0))
                for hold in _holds(reader, account_id, member=member)
                if hold.resolved_at is not None and start <= hold.resolved_at < end
            ]

        return sorted(self._books.read(work), key=_place, reverse=True)


def _place(settled: Settled) -> tuple[datetime, str]:
    assert settled.hold.resolved_at is not None
    return (settled.hold.resolved_at, settled.hold.id)


def _entries(reader: Reader, account_id: str) -> list[LedgerEntry]:
    return [entry for entry in reader.all_entries() if entry.account_id == account_id]


def _holds(reader: Reader, account_id: str, *, member: str | None) -> list[Hold]:
    return [
        hold for hold in reader.all_holds() if wallet_id(hold.account) == account_id and member in (None, hold.member)
    ]


def _sum(entries: Iterable[LedgerEntry]) -> int:
    return sum(signed(entry.direction, entry.amount) for entry in entries)
