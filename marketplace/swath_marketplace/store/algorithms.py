"""Algorithms and versions in SQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from swath_service.cursors import Place

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion, Resources
from swath_marketplace.domain.catalogue import newest_first
from swath_marketplace.domain.runs import RunPurpose, Stage
from swath_marketplace.domain.visibility import ANYBODY, Viewer
from swath_marketplace.store import paging, tables
from swath_marketplace.store.database import Database

#: Sees every version of the algorithm, inside the transaction that will add one; answers what to add, or a stored one.
Decide = Callable[[str, Sequence[AlgorithmVersion]], AlgorithmVersion]


class AlgorithmStore:
    """The registry's memory.

    Promises: versions are only ever added; two publishers at once are put in a row; every answer is a domain object.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, *, owner: str, name: str, at: datetime, decide: Decide) -> tuple[AlgorithmVersion, bool]:
        """Add the version that `decide` makes, unless it answers one that is stored already.

        Returns
        -------
        tuple
            The stored version, and whether it is new. Whatever `decide` raises leaves nothing behind.
        """
        with self._database.write() as connection:
            algorithm_id = self._claim_name(connection, owner, name, at)
            versions = self._versions(connection, [algorithm_id])[algorithm_id]
            version = decide(algorithm_id, versions)
            if any(stored.version == version.version for stored in versions):
                return version, False
            connection.execute(tables.versions.insert().values(_version_values(version)))
            if newest_first([version, *versions])[0] is version:
                connection.execute(
                    tables.algorithms.update()
                    .where(tables.algorithms.c.id == algorithm_id)
                    .values({**_words(version), "updated_at": at})
                )
            return version, True

    def adopt(
        self, connection: sa.Connection, version: AlgorithmVersion, *, at: datetime
    ) -> tuple[AlgorithmVersion, bool]:
        """Add a version of elsewhere as it is, with its number and its yank, inside a transaction of the caller's.

        Answers the stored one, and whether it is new: not where the same content is there already, under whatever
        number.
        """
        algorithm_id = self._claim_name(connection, version.owner, version.name, at)
        versions = self._versions(connection, [algorithm_id])[algorithm_id]
        known = next((stored for stored in versions if stored.digest == version.digest), None)
        if known is not None:
            return known, False
        made = replace(version, algorithm_id=algorithm_id)
        ends = {name: getattr(made, name) for name in ("yanked_at", "yank_reason", "revoked_at", "revoked_reason")}
        connection.execute(tables.versions.insert().values({**_version_values(made), **ends}))
        if newest_first([made, *versions])[0] is made:
            mine = tables.algorithms.c.id == algorithm_id
            connection.execute(tables.algorithms.update().where(mine).values({**_words(made), "updated_at": at}))
        return made, True

    def names_of(self, owner: str) -> Sequence[str]:
        """Every name of an author's, also of what is not offered any more."""
        table = tables.algorithms
        with self._database.read() as connection:
            return list(
                connection.execute(
                    sa.select(table.c.name).where(table.c.owner == owner).order_by(table.c.name)
                ).scalars()
            )

    def get(self, owner: str, name: str) -> Algorithm | None:
        """One algorithm with all its versions, newest first, yanked ones too."""
        table = tables.algorithms
        with self._database.read() as connection:
            row = connection.execute(sa.select(table).where(table.c.owner == owner, table.c.name == name)).one_or_none()
            if row is None:
                return None
            versions = self._versions(connection, [row.id])[row.id]
        return _algorithm(row, versions, all_versions=True)

    def of(self, algorithm_ids: Sequence[str]) -> Sequence[Algorithm]:
        """Algorithms by their ids, each with its latest version; those that are not there are left out."""
        table = tables.algorithms
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table).where(table.c.id.in_(algorithm_ids))).all()
            versions = self._versions(connection, [row.id for row in rows])
        return [_algorithm(row, versions[row.id]) for row in rows]

    def count_runs(self, algorithm_id: str) -> int:
        """How many runs there are of an algorithm, of whatever version and caller; the platform's own do not count."""
        runs = tables.runs
        wanted = (runs.c.algorithm_id == algorithm_id, runs.c.purpose != RunPurpose.BENCHMARK.value)
        with self._database.read() as connection:
            count: int = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*wanted)).scalar_one()
        return count

    def list(
        self,
        *,
        words: Sequence[str] = (),
        owner: str | None = None,
        viewer: Viewer = ANYBODY,
        limit: int,
        after: Place | None = None,
    ) -> tuple[Sequence[Algorithm], int]:
        """A page of algorithms that have a version to offer, latest changed first, and how many there are in all.

        Parameters
        ----------
        words
            Each must occur, in whatever case, in owner, name, title, summary or keywords.
        viewer
            What is hidden is listed for its author and operators alone.
        """
        table = tables.algorithms
        offered = sa.exists().where(tables.versions.c.algorithm_id == table.c.id, tables.versions.c.yanked_at.is_(None))
        wanted = [offered, *(table.c.search_text.contains(word.lower(), autoescape=True) for word in words)]
        if owner is not None:
            wanted.append(table.c.owner == owner)
        if (shown := is_shown(viewer)) is not None:
            wanted.append(shown)
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*wanted)).scalar_one()
            wanted += paging.newest_first(after, table.c.updated_at, table.c.id)
            query = sa.select(table).where(*wanted).order_by(table.c.updated_at.desc(), table.c.id)
            rows = connection.execute(query.limit(limit)).all()
            versions = self._versions(connection, [row.id for row in rows])
        return [_algorithm(row, versions[row.id]) for row in rows], total

    def each(self, *, at_once: int = 200) -> Iterator[Algorithm]:
        """Every algorithm that has a version to offer, latest changed first, read `at_once` at a time."""
        after: Place | None = None
        while True:
            page, _ = self.list(limit=at_once, after=after)
            yield from page
            if len(page) < at_once:
                return
            after = (page[-1].updated_at, page[-1].id)

    def needed_builds(self) -> Mapping[tuple[str, str], int]:
        """Name and lock of each environment that versions which can be called, or runs that are not over, stand on.

        With the number of those versions.
        """
        runs, versions = tables.runs, tables.versions
        going = (
            sa.select(runs.c.algorithm_id, runs.c.version)
            .where(runs.c.stage != Stage.TERMINAL.value)
            .distinct()
            .subquery()
        )
        same = sa.and_(going.c.algorithm_id == versions.c.algorithm_id, going.c.version == versions.c.version)
        wanted = (
            sa.select(versions.c.environment, versions.c.environment_lock_sha256, sa.func.count())
            .select_from(versions.outerjoin(going, same))
            .where(sa.or_(versions.c.yanked_at.is_(None), going.c.version.is_not(None)))
            .group_by(versions.c.environment, versions.c.environment_lock_sha256)
        )
        with self._database.read() as connection:
            return {(name, lock): count for name, lock, count in connection.execute(wanted)}

    def yank(self, version: AlgorithmVersion, *, reason: str, at: datetime) -> None:
        """Mark a version as yanked; the first reason stands."""
        table = tables.versions
        with self._database.write() as connection:
            connection.execute(
                table.update()
                .where(
                    table.c.algorithm_id == version.algorithm_id,
                    table.c.version == version.version,
                    table.c.yanked_at.is_(None),
                )
                .values(yanked_at=at, yank_reason=reason)
            )

    def _claim_name(self, connection: sa.Connection, owner: str, name: str, at: datetime) -> str:
        table = tables.algorithms
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        connection.execute(
            insert(table)
            .values(
                id=uuid.uuid4().hex,
                owner=owner,
                name=name,
                title=name,
                summary="",
                keywords=[],
                search_text=name,
                created_at=at,
                updated_at=at,
            )
            .on_conflict_do_nothing()
        )
        found: str = connection.execute(
            sa.select(table.c.id).where(table.c.owner == owner, table.c.name == name).with_for_update()
        ).scalar_one()
        return found

    def _versions(
        self, connection: sa.Connection, algorithm_ids: Sequence[str]
    ) -> dict[str, Sequence[AlgorithmVersion]]:
        versions, algorithms = tables.versions, tables.algorithms
        rows = connection.execute(
            sa.select(versions, algorithms.c.owner, algorithms.c.name)
            .join(algorithms)
            .where(versions.c.algorithm_id.in_(algorithm_ids))
        ).all()
        found: dict[str, list[AlgorithmVersion]] = {algorithm_id: [] for algorithm_id in algorithm_ids}
        for row in rows:
            found[row.algorithm_id].append(_version(row))
        return {algorithm_id: newest_first(some) for algorithm_id, some in found.items()}


def is_shown(viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """The condition on ``algorithms`` under which `viewer` sees one; ``None`` where everything is seen."""
    table = tables.algorithms
    if viewer.sees_all:
        return None
    shown = table.c.hidden_at.is_(None)
    return sa.or_(shown, table.c.owner == viewer.owner) if viewer.owner else shown


def _words(version: AlgorithmVersion) -> dict[str, Any]:
    meta = version.metadata
    title, summary = str(meta.get("title") or version.name), str(meta.get("summary") or "")
    keywords = [str(word) for word in meta.get("keywords") or ()]
    text = " ".join([version.owner, version.name, title, summary, *keywords]).lower()
    return {"title": title, "summary": summary, "keywords": keywords, "search_text": text}


def _version_values(version: AlgorithmVersion) -> dict[str, Any]:
    return {
        "algorithm_id": version.algorithm_id,
        "version": version.version,
        "digest": version.digest,
        "notebook_sha256": version.notebook_sha256,
        "interface": dict(version.interface),
        "metadata": dict(version.metadata),
        "environment": version.environment,
        "environment_lock_sha256": version.environment_lock_sha256,
        "resources": version.resources.as_dict(),
        "published_at": version.published_at,
    }


def _version(row: sa.Row[Any]) -> AlgorithmVersion:
    return AlgorithmVersion(
        algorithm_id=row.algorithm_id,
        owner=row.owner,
        name=row.name,
        version=row.version,
        digest=row.digest,
        notebook_sha256=row.notebook_sha256,
        interface=row.interface,
        metadata=row._mapping["metadata"],
        environment=row.environment,
        environment_lock_sha256=row.environment_lock_sha256,
        resources=Resources.from_dict(row.resources),
        published_at=row.published_at,
        yanked_at=row.yanked_at,
        yank_reason=row.yank_reason,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
    )


def _algorithm(row: sa.Row[Any], versions: Sequence[AlgorithmVersion], *, all_versions: bool = False) -> Algorithm:
    return Algorithm(
        id=row.id,
        owner=row.owner,
        name=row.name,
        title=row.title,
        summary=row.summary,
        keywords=tuple(row.keywords),
        created_at=row.created_at,
        updated_at=row.updated_at,
        latest=next((version for version in versions if version.yanked_at is None), None),
        versions=tuple(versions) if all_versions else (),
        hidden_at=row.hidden_at,
        hidden_reason=row.hidden_reason,
    )
