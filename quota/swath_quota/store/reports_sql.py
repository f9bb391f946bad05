"""Reports on SQLite and PostgreSQL: read-only statements over the ledger's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Date, Engine, Select, Text, and_, case, cast, func, literal, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from swath_service.errors import Unavailable

from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold, HoldStatus, refund_id
from swath_quota.domain.ledger import Direction, TransactionKind
from swath_quota.domain.reports import Cursor, DayChange, Settled, Spending, SpendingBy, Window, in_order
from swath_quota.store import rows
from swath_quota.store.engine import WRITES
from swath_quota.store.reports_tables import HOLDS_SETTLED
from swath_quota.store.statements import ACCOUNTS, ENTRIES, GRANTS, HOLDS, TRANSACTIONS

#: What makes `SqlReports.settled` fast; named here so that whoever reads reports also knows the index.
INDEXES = (HOLDS_SETTLED,)
_SIGNED = case((ENTRIES.c.direction == Direction.CREDIT, ENTRIES.c.amount), else_=-ENTRIES.c.amount)
_WITH_TRANSACTION = ENTRIES.join(TRANSACTIONS, TRANSACTIONS.c.id == ENTRIES.c.transaction_id)
_WINDOW = select(
    ENTRIES, TRANSACTIONS.c.kind, TRANSACTIONS.c.reference, TRANSACTIONS.c.description, TRANSACTIONS.c.at
).select_from(_WITH_TRANSACTION)
#: What was given back of a hold, by the id that its refund must have (see `swath_quota.domain.holds.refund_id`).
_REFUND = ENTRIES.alias("refund")
_REFUNDED = func.coalesce(_REFUND.c.amount, 0)
_SETTLED = HOLDS.outerjoin(
    _REFUND,
    and_(
        _REFUND.c.transaction_id == literal(refund_id("")).concat(HOLDS.c.id),
        _REFUND.c.account_id == HOLDS.c.account_id,
    ),
)
_NAMES: dict[SpendingBy, ColumnElement[str]] = {
    SpendingBy.KIND: HOLDS.c.purpose_kind,
    SpendingBy.ALGORITHM: case((HOLDS.c.algorithm != "", HOLDS.c.algorithm), else_=HOLDS.c.purpose_kind),
    SpendingBy.MEMBER: HOLDS.c.member,
}


class SqlReports:
    """`swath_quota.domain.report_ports.ReportStore` over the ledger's engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def window(self, account_id: str, *, start: datetime, end: datetime) -> Window:
        query = _WINDOW.where(
            ENTRIES.c.account_id == account_id, TRANSACTIONS.c.at >= start, TRANSACTIONS.c.at < end
        ).order_by(ENTRIES.c.sequence)
        with self._reading() as connection:
            return Window(
                opening=_sum_before(connection, account_id, at=start),
                entries=tuple(map(rows.entry_of, connection.execute(query))),
                closing=_sum_before(connection, account_id, at=end),
            )

    def days(self, account_id: str, *, start: datetime, end: datetime) -> tuple[int, tuple[DayChange, ...]]:
        day = self._day()
        query = (
            select(day.label("day"), TRANSACTIONS.c.kind, func.sum(_SIGNED).label("change"), func.count().label("n"))
            .select_from(_WITH_TRANSACTION)
            .where(ENTRIES.c.account_id == account_id, TRANSACTIONS.c.at >= start, TRANSACTIONS.c.at < end)
            .group_by(day, TRANSACTIONS.c.kind)
            .order_by(day, TRANSACTIONS.c.kind)
        )
        with self._reading() as connection:
            opening = _sum_before(connection, account_id, at=start)
            found = connection.execute(query).all()
        return opening, tuple(
            DayChange(
                day=row.day if isinstance(row.day, date) else date.fromisoformat(row.day),
                kind=TransactionKind(row.kind),
                change=int(row.change),
                count=row.n,
            )
            for row in found
        )

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
        query = (
            _of(account_id, select(HOLDS, _REFUNDED.label("refunded")).select_from(_SETTLED), member=member)
            .where(HOLDS.c.resolved_at >= start, HOLDS.c.resolved_at < end)
            .order_by(HOLDS.c.resolved_at.desc(), HOLDS.c.id.desc())
            .limit(limit)
        )
        if after is not None:
            place = tuple_(
                literal(after.at, type_=HOLDS.c.resolved_at.type), literal(after.hold_id, type_=HOLDS.c.id.type)
            )
            query = query.where(tuple_(HOLDS.c.resolved_at, HOLDS.c.id) < place)
        with self._reading() as connection:
            return tuple(
                Settled(hold=rows.hold_of(row), refunded=int(row.refunded)) for row in connection.execute(query)
            )

    def open_holds(self, account_id: str, *, limit: int, member: str | None = None) -> tuple[Hold, ...]:
        query = (
            _of(account_id, select(HOLDS), member=member)
            .where(HOLDS.c.status == HoldStatus.HELD)
            .order_by(HOLDS.c.created_at, HOLDS.c.id)
            .limit(limit)
        )
        with self._reading() as connection:
            return tuple(map(rows.hold_of, connection.execute(query)))

    def grants(self, account_id: str, *, limit: int, live: bool = False) -> tuple[Grant, ...]:
        query = (
            select(GRANTS)
            .where(GRANTS.c.account_id == account_id)
            .order_by(GRANTS.c.created_at.desc(), GRANTS.c.id.desc())
            .limit(limit)
        )
        if live:
            query = query.where(GRANTS.c.remaining > 0)
        with self._reading() as connection:
            return tuple(map(rows.grant_of, connection.execute(query)))

    def spending(
        self, account_id: str, *, start: datetime, end: datetime, by: SpendingBy, member: str | None = None
    ) -> tuple[Spending, ...]:
        name = _NAMES[by]
        columns = (
            name.label("name"),
            func.sum(HOLDS.c.captured).label("charged"),
            func.sum(_REFUNDED).label("refunded"),
            func.count().label("n"),
        )
        query = (
            _of(account_id, select(*columns).select_from(_SETTLED), member=member)
            .where(HOLDS.c.resolved_at >= start, HOLDS.c.resolved_at < end, HOLDS.c.captured > 0)
            .group_by(name)
        )
        with self._reading() as connection:
            found = connection.execute(query).all()
        return in_order(
            Spending(name=row.name, charged=int(row.charged), refunded=int(row.refunded), count=row.n) for row in found
        )

    def opened_at(self, account_id: str) -> datetime | None:
        with self._reading() as connection:
            found: datetime | None = connection.scalar(select(ACCOUNTS.c.created_at).where(ACCOUNTS.c.id == account_id))
        return found

    def _day(self) -> ColumnElement[Any]:
        """The UTC day of a transaction; SQLite keeps times as text in UTC."""
        if self._engine.dialect.name == "sqlite":
            return func.substr(cast(TRANSACTIONS.c.at, Text), 1, 10)
        return cast(func.timezone("UTC", TRANSACTIONS.c.at), Date)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection whose statements all see the same instant.

        Raises
        ------
        Unavailable
        """
        options: dict[str, Any] = {WRITES: False}
        if self._engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        try:
            with self._engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise Unavailable(
                code="ledger-unavailable",
                message=f"the ledger's database does not answer ({type(error.orig).__name__})",
                mend="repeat the same call",
            ) from error


def _of(account_id: str, query: Select[Any], *, member: str | None) -> Select[Any]:
    query = query.where(HOLDS.c.account_id == account_id)
    return query if member is None else query.where(HOLDS.c.member == member)


def _sum_before(connection: Connection, account_id: str, *, at: datetime) -> int:
    query = (
        select(func.coalesce(func.sum(_SIGNED), 0))
        .select_from(_WITH_TRANSACTION)
        .where(ENTRIES.c.account_id == account_id, TRANSACTIONS.c.at < at)
    )
    return int(connection.scalar(query) or 0)
