"""Assessments and reviews in SQL: both are only ever added to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.assessments import Assessment, Cause, Result
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.moderation import ActKind
from swath_marketplace.domain.reviews import Review, ReviewKind, ReviewVerdict
from swath_marketplace.store import tables
from swath_marketplace.store.assessment_tables import assessments, reviews
from swath_marketplace.store.database import Database
from swath_marketplace.store.moderation_tables import acts

#: Algorithm and digest: what an assessment belongs to.
Key = tuple[str, str]
_REMEMBERED = 4_000


def key_of(version: AlgorithmVersion) -> Key:
    """What assessments and reviews of `version` are found by."""
    return version.algorithm_id, version.digest


class AssessmentStore:
    """Promises: an assessment is only ever added; of two who add one at once the second finds the first.

    One that was read is remembered, since it never changes; which is the latest is asked of the database every time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read: dict[tuple[str, str, int], Assessment] = {}

    def add(self, assessment: Assessment) -> tuple[Assessment, bool]:
        """Append `assessment` under the next number of its version.

        Returns
        -------
        tuple
            The stored one, and whether it is new: the latest itself, when that says the same.
        """
        with self._database.write() as connection:
            _in_turn(connection, assessment.algorithm_id)
            known = self._latest(connection, [(assessment.algorithm_id, assessment.version_digest)])
            last = next(iter(known.values()), None)
            if last is not None and _said(last) == _said(assessment):
                return last, False
            made = replace(assessment, sequence=(last.sequence if last else 0) + 1)
            connection.execute(assessments.insert().values(_values(made)))
        return made, True

    def latest(self, versions: Iterable[AlgorithmVersion]) -> Mapping[Key, Assessment]:
        """The latest assessment of each version that has one."""
        with self._database.read() as connection:
            return self._latest(connection, [key_of(version) for version in versions])

    def telling(self, version: AlgorithmVersion) -> Sequence[Assessment]:
        """What `domain.assessments.stand` needs, newest last.

        The latest assessment, before it the last one that met another level, and between them the first that met the
        latest's: from where it came, and when.
        """
        table = assessments
        with self._database.read() as connection:
            latest = next(iter(self._latest(connection, [key_of(version)]).values()), None)
            if latest is None:
                return ()
            other = sa.select(sa.func.max(table.c.sequence)).where(*_of(version), table.c.met != latest.met.value)
            before = connection.execute(other).scalar_one()
            if before is None:
                return (latest,)
            wanted = [number for number in (before, before + 1) if number < latest.sequence]
            rows = connection.execute(
                sa.select(table).where(*_of(version), table.c.sequence.in_(wanted)).order_by(table.c.sequence)
            ).all()
        return (*map(_assessment, rows), latest)

    def of(
        self, version: AlgorithmVersion, *, limit: int = 200, offset: int = 0, before: int | None = None
    ) -> tuple[Sequence[Assessment], int]:
        """A page of the assessments of a version, newest first, and how many there are in all.

        Parameters
        ----------
        before
            The number below which the page begins.
        """
        query = sa.select(assessments).where(*_of(version)).order_by(assessments.c.sequence.desc())
        if before is not None:
            query = query.where(assessments.c.sequence < before)
        with self._database.read() as connection:
            count = sa.select(sa.func.count()).select_from(assessments).where(*_of(version))
            total: int = connection.execute(count).scalar_one()
            return [_assessment(row) for row in connection.execute(query.limit(limit).offset(offset))], total

    def _latest(self, connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, Assessment]:
        wanted, table, versions = set(keys), assessments, tables.versions
        # One look into the index for each version, however many assessments it has.
        last = (
            sa.select(sa.func.max(table.c.sequence))
            .where(
                table.c.algorithm_id == versions.c.algorithm_id,
                table.c.version_digest == versions.c.digest,
            )
            .scalar_subquery()
        )
        newest = connection.execute(
            sa.select(versions.c.algorithm_id, versions.c.digest, last).where(
                versions.c.algorithm_id.in_({algorithm_id for algorithm_id, _ in wanted})
            )
        ).all()
        found: dict[Key, Assessment] = {}
        for algorithm_id, digest, sequence in newest:
            if sequence is not None and (algorithm_id, digest) in wanted:
                found[algorithm_id, digest] = self._one(connection, (algorithm_id, digest, sequence))
        return found

    def _one(self, connection: sa.Connection, key: tuple[str, str, int]) -> Assessment:
        with self._lock:
            known = self._read.get(key)
        if known is not None:
            return known
        columns = (assessments.c.algorithm_id, assessments.c.version_digest, assessments.c.sequence)
        mine = [column == value for column, value in zip(columns, key, strict=True)]
        made = _assessment(connection.execute(sa.select(assessments).where(*mine)).one())
        with self._lock:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[key] = made
        return made


class ReviewStore:
    """Promises: a review is only ever added; the same words again are one review."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, review: Review) -> tuple[Review, bool]:
        """Append `review` under the next number of its version.

        Returns
        -------
        tuple
            The stored one, and whether it is new: its reviewer's latest of that kind, when that says the same.
        """
        with self._database.write() as connection:
            _in_turn(connection, review.algorithm_id)
            known = _reviews(connection, review.algorithm_id, review.digest)
            theirs = [one for one in known if (one.reviewer, one.kind) == (review.reviewer, review.kind)]
            if theirs and replace(theirs[-1], sequence=0, at=review.at, withheld=None) == replace(review, sequence=0):
                return theirs[-1], False
            made = replace(review, sequence=len(known) + 1)
            values = {name: getattr(made, name) for name in reviews.c.keys()}  # noqa: SIM118 - not a mapping
            connection.execute(
                reviews.insert().values({**values, "kind": made.kind.value, "verdict": made.verdict.value})
            )
        return made, True

    def latest_of(self, owner: str, *, limit: int = 100) -> Sequence[Review]:
        """The latest reviews of what `owner` has published, newest first."""
        algorithms = tables.algorithms
        query = (
            sa.select(reviews.c.algorithm_id, reviews.c.digest, reviews.c.sequence)
            .join(algorithms, algorithms.c.id == reviews.c.algorithm_id)
            .where(algorithms.c.owner == owner)
            .order_by(reviews.c.at.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            keys = [(row.algorithm_id, row.digest, row.sequence) for row in connection.execute(query)]
            whole = {key: _reviews(connection, *key) for key in dict.fromkeys(key[:2] for key in keys)}
        return [whole[key[:2]][key[2] - 1] for key in keys]

    def of(self, version: AlgorithmVersion) -> Sequence[Review]:
        """Every review of a version, the first given first."""
        with self._database.read() as connection:
            return _reviews(connection, *key_of(version))

    def given_by(self, reviewer: str) -> Sequence[tuple[str, str, Review]]:
        """Every review that somebody gave, with the path and the number of the version it is of."""
        algorithms, versions = tables.algorithms, tables.versions
        of = sa.and_(versions.c.algorithm_id == reviews.c.algorithm_id, versions.c.digest == reviews.c.digest)
        query = (
            sa.select(reviews, algorithms.c.owner, algorithms.c.name, versions.c.version)
            .select_from(reviews.join(versions, of).join(algorithms, algorithms.c.id == reviews.c.algorithm_id))
            .where(reviews.c.reviewer == reviewer)
            .order_by(reviews.c.at, reviews.c.algorithm_id, reviews.c.sequence)
        )
        names = reviews.c.keys()
        with self._database.read() as connection:
            return [
                (f"{row.owner}/{row.name}", row.version, _review({name: row._mapping[name] for name in names}))
                for row in connection.execute(query)
            ]


def _in_turn(connection: sa.Connection, algorithm_id: str) -> None:
    """Let one writer at a time add to what belongs to an algorithm."""
    algorithms = tables.algorithms
    connection.execute(sa.select(algorithms.c.id).where(algorithms.c.id == algorithm_id).with_for_update())


def _of(version: AlgorithmVersion) -> tuple[sa.ColumnElement[bool], ...]:
    return assessments.c.algorithm_id == version.algorithm_id, assessments.c.version_digest == version.digest


def _said(assessment: Assessment) -> str:
    """All that counts of an assessment, in the form in which it is stored."""
    values = _values(replace(assessment, sequence=1))
    told = {name: value for name, value in values.items() if name not in ("sequence", "at", "cause")}
    return json.dumps({**told, "green_at": str(told["green_at"])}, sort_keys=True)


def _values(one: Assessment) -> dict[str, Any]:
    return {
        "algorithm_id": one.algorithm_id,
        "version_digest": one.version_digest,
        "sequence": one.sequence,
        "dossier_digest": one.dossier_digest,
        "environment_lock_sha256": one.environment_lock_sha256,
        "criteria_version": one.criteria_version,
        "criteria_sha256": one.criteria_sha256,
        "cause": one.cause.value,
        "met": one.met.value,
        "results": [result.as_dict() for result in one.results],
        "fresh_days": {level.value: days for level, days in one.fresh_days.items()},
        "green_at": one.green_at,
        "at": one.at,
    }


def _assessment(row: sa.Row[Any]) -> Assessment:
    values = {name: value for name, value in row._mapping.items() if name != "met"}
    return Assessment(
        **{
            **values,
            "cause": Cause(row.cause),
            "results": tuple(Result.from_dict(result) for result in row.results),
            "fresh_days": {MaturityLevel(level): days for level, days in row.fresh_days.items()},
        }
    )


def _reviews(connection: sa.Connection, algorithm_id: str, digest: str) -> Sequence[Review]:
    mine = (reviews.c.algorithm_id == algorithm_id, reviews.c.digest == digest)
    withheld = {
        row.review: row.reason
        for row in connection.execute(
            sa.select(acts.c.review, acts.c.reason)
            .where(acts.c.algorithm_id == algorithm_id, acts.c.digest == digest, acts.c.kind == ActKind.WITHHOLD.value)
            .order_by(acts.c.sequence.desc())
        )
    }
    found = connection.execute(sa.select(reviews).where(*mine).order_by(reviews.c.sequence))
    return [replace(_review(dict(row._mapping)), withheld=withheld.get(row.sequence)) for row in found]


def _review(values: Mapping[str, Any]) -> Review:
    return Review(**{**values, "kind": ReviewKind(values["kind"]), "verdict": ReviewVerdict(values["verdict"])})
