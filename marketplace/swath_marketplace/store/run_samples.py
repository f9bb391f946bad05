"""What runs of others than the author and the platform show of a version, read from the table of runs."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.runs import PLATFORM, RunPurpose, RunStatus, SettlementKind, Stage
from swath_marketplace.domain.statistics import Sample
from swath_marketplace.store.database import Database
from swath_marketplace.store.tables import runs


class RunSamples:
    """Runs of one version that have ended; reads no parameter and no result."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, version: AlgorithmVersion, *, limit: int) -> Sequence[Sample]:
        """The newest runs of `version` by others, newest first; those that no wallet would pay for are none."""
        query = (
            sa.select(
                runs.c.caller,
                runs.c.outcome,
                runs.c.error,
                runs.c.platform_fault,
                runs.c.usage,
                runs.c.cost_millicredits,
                runs.c.ended_at,
            )
            .where(
                runs.c.algorithm_id == version.algorithm_id,
                runs.c.digest == version.digest,
                runs.c.stage == Stage.TERMINAL.value,
                runs.c.settlement != SettlementKind.REFUSED.value,
                runs.c.purpose == RunPurpose.CALL.value,
                runs.c.caller.not_in([version.owner, PLATFORM]),
                runs.c.ended_at.is_not(None),
            )
            .order_by(runs.c.ended_at.desc(), runs.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                Sample(
                    caller=row.caller,
                    outcome=RunStatus(row.outcome),
                    error_code=row.error["code"] if row.error else None,
                    platform_fault=row.platform_fault,
                    wall_seconds=row.usage["wall_seconds"] if row.usage else None,
                    cost_millicredits=row.cost_millicredits,
                    ended_at=row.ended_at,
                )
                for row in connection.execute(query)
            ]
