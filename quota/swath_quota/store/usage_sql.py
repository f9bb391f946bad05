"""Usage on SQLite and PostgreSQL.

PostgreSQL locks meters in the order of their names; two that begin the same meter meet at its key, and the second looks
again. SQLite lets one writer in at a time.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Table, and_, insert, or_, select, tuple_, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.meters import Meter, MeterReader, MeterStatus, MeterUnit, StoredEvent
from swath_quota.domain.usage import Fault, MeterState, UsageEvent
from swath_quota.store.engine import WRITES
from swath_quota.store.sql import _passing, _unavailable
from swath_quota.store.usage_tables import MeterRow, UsageEventRow

log = logging.getLogger(__name__)
T = TypeVar("T")

_ATTEMPTS = 8
#: How often an id or number that is taken is looked at anew.
_TAKEN_ATTEMPTS = 3
#: Rows that an audit fetches at a time.
_PAGE = 1000


class SqlMeters:
    """`swath_quota.domain.meters.MeterStore` over an engine of the ledger, already migrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite makes waiting writers poll; within one process they queue here instead.
        self._gate: Any = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    def run(self, work: Callable[[MeterUnit], T]) -> T:
        for attempt in range(_ATTEMPTS):
            try:
                with self._gate, self.engine.begin() as connection:
                    return work(_SqlUnit(connection))
            except DBAPIError as error:
                if not _passing(error) or (isinstance(error, IntegrityError) and attempt >= _TAKEN_ATTEMPTS):
                    raise
                # Every piece of work is idempotent, so this also holds when the answer to a COMMIT was lost.
                why = type(error.orig).__name__
                log.info("attempt %d: %s", attempt + 1, why)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing
        raise _unavailable(why)

    def read(self, work: Callable[[MeterReader], T]) -> T:
        options: dict[str, Any] = {WRITES: False}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                return work(_SqlUnit(connection))
        except DBAPIError as error:
            if not _passing(error):
                raise
            raise _unavailable(type(error.orig).__name__) from error


def _table(row: Any) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


_METERS, _EVENTS = _table(MeterRow), _table(UsageEventRow)


class _SqlUnit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_holds(self, hold_ids: Iterable[str]) -> dict[str, Meter]:
        query = select(_METERS).where(_METERS.c.hold_id.in_(sorted(set(hold_ids))))
        return {row.hold_id: _meter_of(row) for row in self._connection.execute(query)}

    def last_events(self, meter: str, *, limit: int) -> tuple[StoredEvent, ...]:
        query = (
            select(_EVENTS)
            .where(_EVENTS.c.meter == meter, _EVENTS.c.late.is_(False))
            .order_by(_EVENTS.c.sequence.desc())
            .limit(limit)
        )
        return tuple(map(_event_of, self._connection.execute(query)))

    def of_account(self, account: str, *, limit: int, before: tuple[datetime, str] | None = None) -> tuple[Meter, ...]:
        query = select(_METERS).where(_METERS.c.account == account)
        if before is not None:
            seen, name = before
            first = _METERS.c.first_seen_at
            query = query.where(or_(first < seen, and_(first == seen, _METERS.c.id < name)))
        query = query.order_by(_METERS.c.first_seen_at.desc(), _METERS.c.id.desc()).limit(limit)
        return tuple(map(_meter_of, self._connection.execute(query)))

    def unsettled(self, *, limit: int) -> tuple[Meter, ...]:
        due = or_(_METERS.c.status == MeterStatus.CLOSED, and_(_METERS.c.final, _METERS.c.status == MeterStatus.OPEN))
        query = select(_METERS).where(due).order_by(_METERS.c.last_seen_at, _METERS.c.id).limit(limit)
        return tuple(map(_meter_of, self._connection.execute(query)))

    def all_meters(self) -> Iterator[Meter]:
        return map(_meter_of, self._stream(select(_METERS).order_by(_METERS.c.id)))

    def all_events(self) -> Iterator[StoredEvent]:
        return map(_event_of, self._stream(select(_EVENTS).order_by(_EVENTS.c.hold_id)))

    def lock(self, *, hold_ids: Iterable[str], meters: Iterable[str]) -> tuple[Meter, ...]:
        wanted = or_(_METERS.c.hold_id.in_(sorted(set(hold_ids))), _METERS.c.id.in_(sorted(set(meters))))
        query = select(_METERS).where(wanted).order_by(_METERS.c.id).with_for_update()
        return tuple(map(_meter_of, self._connection.execute(query)))

    def events(self, ids: Iterable[str]) -> dict[str, StoredEvent]:
        query = select(_EVENTS).where(_EVENTS.c.id.in_(sorted(set(ids))))
        return {row.id: _event_of(row) for row in self._connection.execute(query)}

    def numbered(self, pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        key = tuple_(_EVENTS.c.meter, _EVENTS.c.sequence)
        query = select(_EVENTS.c.meter, _EVENTS.c.sequence, _EVENTS.c.id).where(key.in_(sorted(set(pairs))))
        return {(row.meter, row.sequence): row.id for row in self._connection.execute(query)}

    def add_events(self, events: Sequence[StoredEvent]) -> None:
        if events:
            self._connection.execute(insert(_EVENTS), list(map(_event_values, events)))

    def save_meter(self, meter: Meter) -> None:
        values = _meter_values(meter)
        changed = self._connection.execute(update(_METERS).where(_METERS.c.id == meter.id).values(values)).rowcount
        if not changed:
            self._connection.execute(insert(_METERS), values)

    def _stream(self, query: Any) -> Iterator[Row[Any]]:
        return iter(self._connection.execution_options(yield_per=_PAGE).execute(query))


def _event_of(row: Row[Any]) -> StoredEvent:
    event = UsageEvent(
        id=row.id,
        meter=row.meter,
        hold_id=row.hold_id,
        account=row.account,
        kind=PurposeKind(row.kind),
        sequence=row.sequence,
        usage=row.usage,
        final=row.final,
        fault=Fault(row.fault),
        at=row.at,
    )
    return StoredEvent(event=event, late=row.late, received_at=row.received_at)


def _event_values(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        "id": event.id,
        "meter": event.meter,
        "hold_id": event.hold_id,
        "account": event.account,
        "kind": str(event.kind),
        "sequence": event.sequence,
        "usage": dict(event.usage),
        "final": event.final,
        "fault": str(event.fault),
        "late": stored.late,
        "at": event.at,
        "received_at": stored.received_at,
    }


def _meter_of(row: Row[Any]) -> Meter:
    return Meter(
        id=row.id,
        hold_id=row.hold_id,
        account=row.account,
        kind=PurposeKind(row.kind),
        reference=row.reference,
        state=MeterState(usage=row.usage, final=row.final, fault=Fault(row.fault), sequence=row.sequence),
        status=MeterStatus(row.status),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )


def _meter_values(meter: Meter) -> dict[str, Any]:
    return {
        "id": meter.id,
        "hold_id": meter.hold_id,
        "account": meter.account,
        "kind": str(meter.kind),
        "reference": meter.reference,
        "usage": dict(meter.state.usage),
        "final": meter.state.final,
        "fault": str(meter.state.fault),
        "sequence": meter.state.sequence,
        "status": str(meter.status),
        "first_seen_at": meter.first_seen_at,
        "last_seen_at": meter.last_seen_at,
    }
