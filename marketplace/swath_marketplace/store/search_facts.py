"""What entries of algorithms follow from, read for many algorithms at once; writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.algorithms import Algorithm
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.runs import PLATFORM, RunPurpose, RunStatus, SettlementKind, Stage
from swath_marketplace.domain.search_fold import Facts, Use, entry_of
from swath_marketplace.domain.searching import Entry
from swath_marketplace.store.added_value import MarkStore, PriceStore
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.assessments import AssessmentStore, key_of
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.tables import algorithms, runs

log = logging.getLogger(__name__)

_CARD = "README.md"
#: Of each version so many of the platform's newest runs are looked at for what they read.
_RUNS_READ = 10


class AlgorithmSource:
    """The entries of algorithms: a `swath_marketplace.services.search_index.EntrySource`.

    Parameters
    ----------
    marks_raise
        Whether an operator's mark may say more of a version's level than the evidence does.
    """

    def __init__(self, database: Database, *, artifacts: ArtifactStore, marks_raise: bool) -> None:
        self._database = database
        self._algorithms = AlgorithmStore(database)
        self._dossiers = DossierStore(database)
        self._assessments = AssessmentStore(database)
        self._marks, self._prices = MarkStore(database), PriceStore(database)
        self._artifacts = artifacts
        self._marks_raise = marks_raise

    def keys(self) -> Sequence[str]:
        """The id of every algorithm."""
        with self._database.read() as connection:
            return list(connection.execute(sa.select(algorithms.c.id).order_by(algorithms.c.created_at)).scalars())

    def entries(self, keys: Sequence[str], now: datetime) -> Mapping[str, Entry]:
        """The entries of those that offer a version at `now`, by id."""
        made = {
            facts.algorithm.id: entry_of(facts, now=now, marks_raise=self._marks_raise) for facts in self.facts(keys)
        }
        return {key: entry for key, entry in made.items() if entry is not None}

    def facts(self, keys: Sequence[str]) -> Sequence[Facts]:
        """What the entries of those that offer a version follow from."""
        found = [one for one in self._algorithms.of(keys) if one.latest]
        latest = [one.latest for one in found if one.latest]
        assessments, marks = self._assessments.latest(latest), self._marks.latest(latest)
        dossiers = self._dossiers.latest_of([key_of(version) for version in latest])
        ids = [one.id for one in found]
        prices, use, inputs = self._prices.of_all(ids), self._use(found), self._inputs(found)
        return [
            Facts(
                algorithm=one,
                scenarios=dossiers[key].scenarios if key in dossiers else (),
                card=self._card(dossiers.get(key)),
                assessment=assessments.get(key),
                mark=marks.get(key),
                prices=prices.get(one.id, ()),
                inputs=inputs.get(key, ()),
                use=use.get(one.id, Use()),
                hidden=one.hidden_at is not None,
            )
            for one, key in ((one, key_of(one.latest)) for one in found if one.latest)
        ]

    def _card(self, dossier: Dossier | None) -> str:
        address = dossier.files.get(_CARD) if dossier else None
        if address is None:
            return ""
        try:
            return self._artifacts.read(address).decode("utf-8", "replace")
        except ArtifactDamaged:
            # Told by whoever reads the card; what is left of the entry is found all the same.
            log.warning("a card is damaged and is not searched: artifact %s", address)
            return ""

    def _use(self, found: Iterable[Algorithm]) -> Mapping[str, Use]:
        ended = (
            runs.c.stage == Stage.TERMINAL.value,
            runs.c.settlement != SettlementKind.REFUSED.value,
            runs.c.purpose == RunPurpose.CALL.value,
            runs.c.caller != runs.c.owner,
            runs.c.caller != PLATFORM,
        )
        finished = runs.c.outcome == RunStatus.FINISHED.value
        failed = sa.and_(runs.c.outcome == RunStatus.ERROR.value, runs.c.platform_fault.is_(False))
        query = (
            sa.select(
                runs.c.algorithm_id,
                sa.func.count(),
                sa.func.count(runs.c.caller.distinct()),
                sa.func.sum(sa.case((finished, 1), else_=0)),
                sa.func.sum(sa.case((failed, 1), else_=0)),
            )
            .where(runs.c.algorithm_id.in_([one.id for one in found]), *ended)
            .group_by(runs.c.algorithm_id)
        )
        with self._database.read() as connection:
            return {
                key: Use(runs=count, users=users, finished=int(good), failed=int(bad))
                for key, count, users, good, bad in connection.execute(query)
            }

    def _inputs(self, found: Iterable[Algorithm]) -> Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]:
        latest = [one.latest for one in found if one.latest]
        place = sa.func.row_number().over(
            partition_by=(runs.c.algorithm_id, runs.c.digest), order_by=(runs.c.ended_at.desc(), runs.c.id)
        )
        numbered = (
            sa.select(runs.c.id, place.label("place"))
            .where(
                runs.c.algorithm_id.in_([version.algorithm_id for version in latest]),
                runs.c.digest.in_([version.digest for version in latest]),
                runs.c.purpose == RunPurpose.BENCHMARK.value,
                runs.c.outcome == RunStatus.FINISHED.value,
            )
            .subquery()
        )
        query = (
            sa.select(runs.c.algorithm_id, runs.c.digest, runs.c.inputs)
            .join(numbered, numbered.c.id == runs.c.id)
            .where(numbered.c.place <= _RUNS_READ)
        )
        read: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        with self._database.read() as connection:
            for algorithm_id, digest, inputs in connection.execute(query):
                read.setdefault((algorithm_id, digest), []).extend(inputs)
        return read
