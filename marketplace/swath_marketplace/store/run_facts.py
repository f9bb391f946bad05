"""What the runs of a version show, read from the table of runs; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from swath.contract.interface import Interface
from swath.contract.kinds import Kind

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.evidence import By, RunFact, Scale
from swath_marketplace.domain.runs import PLATFORM, RunPurpose, RunStatus, SettlementKind, Stage
from swath_marketplace.store.database import Database
from swath_marketplace.store.tables import runs

_EXTENTS = (Kind.BBOX, Kind.GEOJSON, Kind.TEMPORAL_INTERVAL)


class RunFacts:
    """Runs of one version that have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, version: AlgorithmVersion, *, limit: int) -> Sequence[RunFact]:
        """The newest runs of `version`, newest first; those that no wallet would pay for are none."""
        columns: tuple[sa.Column[Any], ...] = (
            runs.c.id,
            runs.c.caller,
            runs.c.purpose,
            runs.c.outcome,
            runs.c.error,
            runs.c.platform_fault,
            runs.c.cost_millicredits,
            runs.c.estimate,
            runs.c.ended_at,
        )
        query: sa.Select[Any] = (
            sa.select(*columns)
            .where(
                *_of(version),
                runs.c.stage == Stage.TERMINAL.value,
                runs.c.settlement != SettlementKind.REFUSED.value,
                runs.c.ended_at.is_not(None),
            )
            .order_by(runs.c.ended_at.desc(), runs.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_fact(row, owner=version.owner) for row in connection.execute(query)]

    def largest(self, version: AlgorithmVersion, interface: Interface) -> Scale | None:
        """The largest run of `version` that finished, by area times days; ``None`` where none tells an area.

        By what its parameters' types say: a parameter that is merely called ``area_km2`` is a number like any other.
        """
        of_kind = {kind: [one.name for one in interface.parameters if one.type.kind is kind] for kind in _EXTENTS}
        # A box says where to look; shapes within it are only then the extent when there is no box.
        area = self._most([f"{name}:km2" for name in of_kind[Kind.BBOX] or of_kind[Kind.GEOJSON]])
        days = self._most([f"{name}:days" for name in of_kind[Kind.TEMPORAL_INTERVAL]])
        # A day that is shorter, and no period at all, is one date.
        length = sa.case((days > 1, days), else_=1.0)
        query = (
            sa.select(runs.c.id, area.label("area"), length.label("days"))
            .where(
                *_of(version),
                runs.c.stage == Stage.TERMINAL.value,
                runs.c.outcome == RunStatus.FINISHED.value,
                area > 0,
            )
            .order_by((area * length).desc(), runs.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Scale(run_id=row.id, area_km2=float(row.area), days=float(row.days))

    def _most(self, features: Sequence[str]) -> sa.ColumnElement[float]:
        """The greatest of some features of a run; 0 where it has none of them."""
        values = [sa.func.coalesce(runs.c.features[name].as_float(), 0.0) for name in features]
        if not values:
            return sa.literal(0.0)
        return (sa.func.max if self._database.is_sqlite else sa.func.greatest)(*values, 0.0)


def _of(version: AlgorithmVersion) -> tuple[sa.ColumnElement[bool], ...]:
    return runs.c.algorithm_id == version.algorithm_id, runs.c.digest == version.digest


def _fact(row: sa.Row[Any], *, owner: str) -> RunFact:
    of_platform = row.caller == PLATFORM or row.purpose != RunPurpose.CALL.value
    by = By.PLATFORM if of_platform else By.AUTHOR if row.caller == owner else By.OTHERS
    return RunFact(
        run_id=row.id,
        by=by,
        caller=row.caller,
        outcome=RunStatus(row.outcome),
        error_code=row.error["code"] if row.error else None,
        platform_fault=row.platform_fault,
        cost_millicredits=row.cost_millicredits,
        quoted_p95_millicredits=row.estimate["p95"] if row.estimate else None,
        ended_at=row.ended_at,
    )
