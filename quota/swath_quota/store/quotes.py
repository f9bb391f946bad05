"""Quotes and observations on SQLite and PostgreSQL, each with a transaction of its own beside the ledger's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from swath_service.errors import Unavailable

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quotes import Basis, Observation, ObservationSource, Quote, Reserved
from swath_quota.store.engine import WRITES
from swath_quota.store.quote_tables import ObservationRow, QuoteRow

T = TypeVar("T")


def _table(model: type[QuoteRow | ObservationRow]) -> Table:
    table = model.__dict__["__table__"]
    assert isinstance(table, Table)
    return table


quotes = _table(QuoteRow)
observations = _table(ObservationRow)


class SqlQuotes:
    """`swath_quota.domain.quote_ports.QuoteStore` over the ledger's engine, already migrated."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_quote(self, quote: Quote) -> Quote:
        return _quote_of(self._add(quotes, _quote_values(quote)))

    def quote(self, quote_id: str) -> Quote | None:
        query = select(quotes).where(quotes.c.id == quote_id)
        row = self._do(lambda connection: connection.execute(query).one_or_none())
        return _quote_of(row) if row else None

    def add_observation(self, observation: Observation) -> Observation:
        return _observation_of(self._add(observations, _observation_values(observation)))

    def revision(self, kind: PurposeKind, subject: str) -> int:
        query = select(func.count()).select_from(observations).where(*_finished(kind, subject))
        return self._do(lambda connection: int(connection.execute(query).scalar_one()))

    def observations(self, kind: PurposeKind, subject: str, *, limit: int) -> tuple[Observation, ...]:
        newest = (observations.c.at.desc(), observations.c.id.desc())
        query = select(observations).where(*_finished(kind, subject)).order_by(*newest).limit(limit)
        rows = self._do(lambda connection: connection.execute(query).all())
        return tuple(_observation_of(row) for row in reversed(rows))

    def settled(self, *, subject: str | None = None, limit: int) -> tuple[tuple[Quote, Observation], ...]:
        wanted = [observations.c.quote_id != ""]
        if subject is not None:
            wanted.append(observations.c.subject == subject)
        newest = (observations.c.at.desc(), observations.c.id.desc())
        joined = observations.join(quotes, quotes.c.id == observations.c.quote_id)

        def work(connection: Connection) -> tuple[tuple[Quote, Observation], ...]:
            seen = connection.execute(
                select(observations).select_from(joined).where(*wanted).order_by(*newest).limit(limit)
            ).all()
            given = connection.execute(
                select(quotes).select_from(joined).where(*wanted).order_by(*newest).limit(limit)
            ).all()
            pairs = zip(given, seen, strict=True)
            return tuple((_quote_of(quote), _observation_of(observation)) for quote, observation in pairs)

        return self._do(work)

    def _add(self, table: Table, values: dict[str, Any]) -> Row[Any]:
        maker = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert

        def work(connection: Connection) -> Row[Any]:
            connection.execute(maker(table).values(values).on_conflict_do_nothing(index_elements=["id"]))
            return connection.execute(select(table).where(table.c.id == values["id"])).one()

        return self._do(work, writes=True)

    def _do(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        options: dict[str, Any] = {WRITES: writes}
        if not writes and self._engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        try:
            with self._engine.connect().execution_options(**options) as connection, connection.begin():
                return work(connection)
        except OperationalError as error:
            raise _unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _unavailable(error) from error
            raise


def _unavailable(error: DBAPIError) -> Unavailable:
    why = type(error.orig).__name__
    return Unavailable(
        code="ledger-unavailable", message=f"the ledger's database does not answer ({why})", mend="repeat the same call"
    )


def _finished(kind: PurposeKind, subject: str) -> tuple[Any, ...]:
    seen = observations.c
    return (seen.kind == str(kind), seen.subject == subject, seen.finished.is_(True))


def _quote_values(quote: Quote) -> dict[str, Any]:
    return {
        "id": quote.id,
        "kind": str(quote.kind),
        "subject": quote.subject,
        "reserved": asdict(quote.reserved),
        "features": dict(quote.features),
        "p50": quote.p50,
        "p95": quote.p95,
        "upper_bound": quote.upper,
        "hold": quote.hold,
        "ceiling": quote.ceiling,
        "p50_seconds": quote.p50_seconds,
        "p95_seconds": quote.p95_seconds,
        "basis": str(quote.basis),
        "observations": quote.observations,
        "explanation": quote.explanation,
        "price_version": quote.price_version,
        "created_at": quote.created_at,
        "valid_until": quote.valid_until,
    }


def _quote_of(row: Row[Any]) -> Quote:
    return Quote(
        id=row.id,
        kind=PurposeKind(row.kind),
        subject=row.subject,
        reserved=Reserved(**row.reserved),
        features=row.features,
        p50=row.p50,
        p95=row.p95,
        upper=row.upper_bound,
        hold=row.hold,
        ceiling=row.ceiling,
        p50_seconds=row.p50_seconds,
        p95_seconds=row.p95_seconds,
        basis=Basis(row.basis),
        observations=row.observations,
        explanation=row.explanation,
        price_version=row.price_version,
        created_at=row.created_at,
        valid_until=row.valid_until,
    )


def _observation_values(observation: Observation) -> dict[str, Any]:
    return {
        "id": observation.id,
        "kind": str(observation.kind),
        "subject": observation.subject,
        "source": str(observation.source),
        "features": dict(observation.features),
        "usage": dict(observation.usage),
        "finished": observation.finished,
        "quote_id": observation.quote_id,
        "at": observation.at,
    }


def _observation_of(row: Row[Any]) -> Observation:
    return Observation(
        id=row.id,
        kind=PurposeKind(row.kind),
        subject=row.subject,
        source=ObservationSource(row.source),
        features=row.features,
        usage=row.usage,
        finished=row.finished,
        quote_id=row.quote_id,
        at=row.at,
    )
