"""What imports brought, in SQL; and the one transaction in which an import is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from swath_service.cursors import Place

from swath_marketplace.domain.account_archive import ArchivedRun
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.foreign import Adopted, Adoption, ForeignRun, ForeignVersion
from swath_marketplace.store import tables
from swath_marketplace.store.account_tables import foreign_keys, foreign_runs, foreign_versions
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import adopt_dossiers
from swath_marketplace.store.paging import newest_first

#: JSON of a run's document, and back.
Written = Callable[[ArchivedRun], Mapping[str, Any]]
Read = Callable[[Mapping[str, Any]], ArchivedRun]


class ForeignStore:
    """Promises: an import is stored as a whole or not at all; the same again adds nothing.

    Parameters
    ----------
    write, read
        How a run's document becomes JSON, and back.
    """

    def __init__(self, database: Database, *, algorithms: AlgorithmStore, write: Written, read: Read) -> None:
        self._database = database
        self._algorithms = algorithms
        self._write = write
        self._read = read

    def adopt(self, adoption: Adoption) -> tuple[Sequence[AlgorithmVersion], int]:
        """Store everything that is not here yet; answers the versions that are new, and how many runs are."""
        with self._database.write() as connection:
            added = [made for one in adoption.versions if (made := self._version(connection, adoption, one))]
            runs = sum(self._run(connection, one) for one in adoption.runs)
            if adoption.keys is not None:
                self._pin(connection, adoption, adoption.keys)
        return added, runs

    def version(self, version: AlgorithmVersion) -> Sequence[ForeignVersion]:
        """Where a version came from; nothing of one that was published here."""
        table = foreign_versions
        mine = (table.c.algorithm_id == version.algorithm_id, table.c.digest == version.digest)
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table).where(*mine).order_by(table.c.imported_at)).all()
        return [ForeignVersion(**row._mapping) for row in rows]

    def run(self, run_id: str) -> ForeignRun | None:
        """One run of elsewhere, by its id here."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(foreign_runs).where(foreign_runs.c.id == run_id)).one_or_none()
        return None if row is None else self._foreign(row)

    def runs(
        self, importer: str, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[ForeignRun], int]:
        """A page of what one user imported, the latest made first, and how many there are in all."""
        table = foreign_runs
        mine = table.c.importer == importer
        beyond = newest_first(after, table.c.created_at, table.c.id)
        query = sa.select(table).where(mine, *beyond).order_by(table.c.created_at.desc(), table.c.id)
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one()
            return [self._foreign(row) for row in connection.execute(query.limit(limit).offset(offset))], total

    def keys(self, importer: str, origin: str) -> str | None:
        """The keys of `origin` as `importer` brought them."""
        table = foreign_keys
        mine = (table.c.importer == importer, table.c.origin == origin)
        with self._database.read() as connection:
            return connection.execute(sa.select(table.c.document).where(*mine)).scalar_one_or_none()

    def with_digest(self, digest: str, *, owner: str) -> AlgorithmVersion | None:
        """A version here of exactly that content: `owner`'s where there is one, else the one published first."""
        versions, algorithms = tables.versions, tables.algorithms
        query = (
            sa.select(algorithms.c.owner, algorithms.c.name, versions.c.version)
            .join(algorithms)
            .where(versions.c.digest == digest, sa.or_(algorithms.c.hidden_at.is_(None), algorithms.c.owner == owner))
            .order_by(
                versions.c.yanked_at.is_not(None),
                algorithms.c.owner != owner,
                versions.c.published_at,
                algorithms.c.id,
            )
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        found = self._algorithms.get(row.owner, row.name) if row else None
        return next((one for one in found.versions if one.version == row.version), None) if found and row else None

    def _version(self, connection: sa.Connection, adoption: Adoption, one: Adopted) -> AlgorithmVersion | None:
        stored, created = self._algorithms.adopt(connection, one.version, at=adoption.at)
        adopt_dossiers(connection, stored, one.dossiers)
        if not adoption.own:
            _remember(connection, adoption, one, stored)
        return stored if created else None

    def _run(self, connection: sa.Connection, run: ForeignRun) -> int:
        table = foreign_runs
        if connection.execute(sa.select(table.c.id).where(table.c.id == run.id)).first():
            return 0
        connection.execute(
            table.insert().values(
                id=run.id,
                importer=run.importer,
                origin=run.origin,
                origin_run_id=run.document.id,
                document=dict(self._write(run.document)),
                receipt=run.receipt,
                created_at=run.document.created_at,
                imported_at=run.imported_at,
            )
        )
        return 1

    def _pin(self, connection: sa.Connection, adoption: Adoption, keys: str) -> None:
        table = foreign_keys
        mine = (table.c.importer == adoption.importer, table.c.origin == adoption.origin)
        known = connection.execute(sa.select(table.c.document).where(*mine)).scalar_one_or_none()
        # That the one follows from the other was made sure of when the archive was read; an older archive tells fewer.
        if known is not None and len(known) >= len(keys):
            return
        values = {"document": keys, "pinned_at": adoption.at}
        if known is None:
            connection.execute(table.insert().values(importer=adoption.importer, origin=adoption.origin, **values))
        else:
            connection.execute(table.update().where(*mine).values(values))

    def _foreign(self, row: sa.Row[Any]) -> ForeignRun:
        return ForeignRun(
            id=row.id,
            importer=row.importer,
            origin=row.origin,
            document=self._read(row.document),
            receipt=row.receipt,
            imported_at=row.imported_at,
        )


def _remember(connection: sa.Connection, adoption: Adoption, one: Adopted, stored: AlgorithmVersion) -> None:
    table = foreign_versions
    mine = (
        table.c.algorithm_id == stored.algorithm_id,
        table.c.digest == stored.digest,
        table.c.origin == adoption.origin,
    )
    known = connection.execute(sa.select(table.c.evidence).where(*mine)).one_or_none()
    if known is not None:
        if _told(one.evidence) > _told(known.evidence):
            connection.execute(table.update().where(*mine).values(evidence=dict(one.evidence)))
        return
    connection.execute(
        table.insert().values(
            algorithm_id=stored.algorithm_id,
            digest=stored.digest,
            origin=adoption.origin,
            path=one.path,
            version=one.version.version,
            published_at=one.published_at,
            imported_at=adoption.at,
            imported_by=adoption.importer,
            evidence=dict(one.evidence),
        )
    )


def _told(evidence: Mapping[str, Any]) -> int:
    """How much it says: evidence is only ever added to, so more is later."""
    return sum(len(some) for some in evidence.values() if isinstance(some, list))
