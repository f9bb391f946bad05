"""Limits on SQLite and PostgreSQL.

The counter's row is the lock: PostgreSQL takes it with FOR UPDATE after an insert that does nothing where the row is
(two first takes meet at that insert, so neither finds an unlocked nothing); SQLite lets one writer in at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from swath_quota.domain.limit_ports import LimitReader, LimitUnit
from swath_quota.domain.overrides import Override, Revocation
from swath_quota.domain.takes import Take, TakeStatus
from swath_quota.domain.windows import Bucket, Counter
from swath_quota.store.limits_tables import BucketRow, CounterRow, OverrideRow, RevocationRow, TakeRow
from swath_quota.store.retrying import Transactions

T = TypeVar("T")


def _table(row: Any) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


COUNTERS, BUCKETS, TAKES = _table(CounterRow), _table(BucketRow), _table(TakeRow)
OVERRIDES, REVOCATIONS = _table(OverrideRow), _table(RevocationRow)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_ALL_OVERRIDES: Select[Any] = (
    select(
        OVERRIDES,
        REVOCATIONS.c.reason.label("revoked_reason"),
        REVOCATIONS.c.author.label("revoked_by"),
        REVOCATIONS.c.at.label("revoked_at"),
    )
    .outerjoin(REVOCATIONS, REVOCATIONS.c.override_id == OVERRIDES.c.id)
    .order_by(OVERRIDES.c.created_at, OVERRIDES.c.id)
)


class SqlLimits:
    """`swath_quota.domain.limit_ports.LimitStore` over an engine that is already migrated."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    def run(self, work: Callable[[LimitUnit], T]) -> T:
        return self._transactions.write(lambda connection: work(_SqlUnit(connection)))

    def read(self, work: Callable[[LimitReader], T]) -> T:
        return self._transactions.read(lambda connection: work(_SqlUnit(connection)))


class _SqlUnit:
    def __init__(self, connection: Connection) -> None:
        self._do = connection.execute
        self._insert = _INSERT[connection.dialect.name]

    def counters(self, account: str) -> Mapping[str, Counter]:
        rows = self._do(select(COUNTERS).where(COUNTERS.c.account == account))
        return {row.limit_name: _counter_of(row) for row in rows}

    def buckets(self, account: str, limit: str, *, since: datetime) -> tuple[Bucket, ...]:
        rows = self._do(
            select(BUCKETS.c.hour, BUCKETS.c.amount).where(_of(BUCKETS, account, limit), BUCKETS.c.hour >= since)
        )
        return tuple(sorted((Bucket(hour=row.hour, amount=row.amount) for row in rows), key=lambda b: b.hour))

    def standing_takes(self, account: str, limit: str) -> tuple[Take, ...]:
        rows = self._do(select(TAKES).where(_of(TAKES, account, limit), TAKES.c.status == TakeStatus.STANDING))
        return tuple(map(_take_of, rows))

    def find_take(self, take_id: str) -> Take | None:
        row = self._do(select(TAKES).where(TAKES.c.id == take_id)).one_or_none()
        return _take_of(row) if row else None

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        query = _ALL_OVERRIDES if subject is None else _ALL_OVERRIDES.where(OVERRIDES.c.subject == subject)
        return tuple(map(_override_of, self._do(query)))

    def find_override(self, override_id: str) -> Override | None:
        row = self._do(_ALL_OVERRIDES.where(OVERRIDES.c.id == override_id)).one_or_none()
        return _override_of(row) if row else None

    def lock(self, account: str, limit: str, *, at: datetime) -> Counter:
        empty = {"account": account, "limit_name": limit, "seen_at": at, "period": "", "used": 0}
        self._do(self._insert(COUNTERS).values(empty).on_conflict_do_nothing())
        return _counter_of(self._do(select(COUNTERS).where(_of(COUNTERS, account, limit)).with_for_update()).one())

    def save_counter(self, counter: Counter) -> None:
        self._do(
            update(COUNTERS)
            .where(_of(COUNTERS, counter.account, counter.limit))
            .values(seen_at=counter.seen_at, period=counter.period, used=counter.used)
        )

    def add_to_bucket(self, account: str, limit: str, *, hour: datetime, amount: int) -> None:
        added = {"amount": BUCKETS.c.amount + amount}
        if amount > 0:
            row = {"account": account, "limit_name": limit, "hour": hour, "amount": amount}
            self._do(
                self._insert(BUCKETS)
                .values(row)
                .on_conflict_do_update(index_elements=["account", "limit_name", "hour"], set_=added)
            )
        else:
            self._do(update(BUCKETS).where(_of(BUCKETS, account, limit), BUCKETS.c.hour == hour).values(added))

    def forget(self, account: str, limit: str, *, buckets: datetime | None, takes: datetime) -> None:
        if buckets is not None:
            self._do(delete(BUCKETS).where(_of(BUCKETS, account, limit), BUCKETS.c.hour < buckets))
        old = TAKES.c.created_at < takes
        self._do(delete(TAKES).where(_of(TAKES, account, limit), old, TAKES.c.status != TakeStatus.STANDING))

    def add_take(self, take: Take) -> None:
        self._do(
            insert(TAKES).values(
                id=take.id,
                account=take.account,
                limit_name=take.limit,
                amount=take.amount,
                degraded=take.degraded,
                created_at=take.created_at,
                **_take_changes(take),
            )
        )

    def save_take(self, take: Take) -> None:
        self._do(update(TAKES).where(TAKES.c.id == take.id).values(**_take_changes(take)))

    def add_override(self, override: Override) -> None:
        values = {column.name: getattr(override, column.name) for column in OVERRIDES.c if column.name != "limit_name"}
        self._do(insert(OVERRIDES).values(limit_name=override.limit, **values))

    def add_revocation(self, revocation: Revocation) -> None:
        values = {column.name: getattr(revocation, column.name) for column in REVOCATIONS.c}
        self._do(insert(REVOCATIONS).values(**values))


def _of(table: Table, account: str, limit: str) -> Any:
    return (table.c.account == account) & (table.c.limit_name == limit)


def _counter_of(row: Row[Any]) -> Counter:
    return Counter(account=row.account, limit=row.limit_name, seen_at=row.seen_at, period=row.period, used=row.used)


def _take_of(row: Row[Any]) -> Take:
    return Take(
        id=row.id,
        account=row.account,
        limit=row.limit_name,
        amount=row.amount,
        degraded=row.degraded,
        status=TakeStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )


def _take_changes(take: Take) -> dict[str, Any]:
    return {"status": str(take.status), "expires_at": take.expires_at, "ended_at": take.ended_at}


def _override_of(row: Row[Any]) -> Override:
    revoked = None
    if row.revoked_at is not None:
        revoked = Revocation(override_id=row.id, reason=row.revoked_reason, author=row.revoked_by, at=row.revoked_at)
    return Override(
        id=row.id,
        subject=row.subject,
        limit=row.limit_name,
        tier=row.tier,
        hard=row.hard,
        soft=row.soft,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        revoked=revoked,
    )
