"""How the scenarios of a version drift, and what its author is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from swath_marketplace.domain.benchmarks import Order, Round
from swath_marketplace.domain.breaks import Changes, Notice, NoticeKind, notice
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.drift import MOST_SAMPLES, Drift, Drifted, ScenarioDrift, drift_of
from swath_marketplace.services.round_ports import DossierSource
from swath_marketplace.store.rounds import RoundStore

#: More rounds than samples: not every round has one.
_LOOKED_BACK = 3 * MOST_SAMPLES
_KINDS = {Drifted.SLOWER: NoticeKind.BENCHMARK_SLOWER, Drifted.DEARER: NoticeKind.BENCHMARK_DEARER}
_WORDS = {Drifted.SLOWER: ("takes", "s"), Drifted.DEARER: ("costs", "credits")}


class Drifts:
    """Drift of time, cost and outputs."""

    def __init__(self, *, store: RoundStore, dossiers: DossierSource, clock: Clock) -> None:
        self._store = store
        self._dossiers = dossiers
        self._clock = clock

    def of(self, algorithm_id: str, digest: str) -> Mapping[str, ScenarioDrift]:
        """By scenario of the latest dossier."""
        rounds = self._store.of(algorithm_id, digest, limit=_LOOKED_BACK)
        return self._drifts(algorithm_id, digest, rounds, now=self._clock())

    def told(self, order: Order, ended: Round, found: Changes, *, at: datetime) -> Changes:
        """`found`, with a notice for each quantity that `ended` found drifted and the round before did not."""
        past = self._store.of(order.algorithm_id, order.version_digest, limit=_LOOKED_BACK)
        before = self._drifts(order.algorithm_id, order.version_digest, past, now=at)
        after = self._drifts(order.algorithm_id, order.version_digest, [*past, ended], now=at)
        told: list[Notice] = []
        for scenario, now in after.items():
            then = before.get(scenario)
            pairs = [(now.seconds, then.seconds if then else None), (now.cost, then.cost if then else None)]
            for drift, earlier in pairs:
                is_new = earlier is None or earlier.verdict is not drift.verdict
                if drift.verdict in _KINDS and is_new and drift.samples[-1].at == ended.ended_at:
                    told.append(_notice(order, scenario, drift, at=at))
        return replace(found, notices=(*found.notices, *told))

    def _drifts(
        self, algorithm_id: str, digest: str, rounds: Sequence[Round], *, now: datetime
    ) -> Mapping[str, ScenarioDrift]:
        put = self._dossiers.of(algorithm_id, digest)
        calls = {
            dossier.digest: {scenario.name: scenario.parameters for scenario in dossier.scenarios} for dossier in put
        }
        return {
            scenario.name: drift_of(
                rounds,
                scenario=scenario.name,
                dossiers={known for known, made in calls.items() if made.get(scenario.name) == scenario.parameters},
                now=now,
            )
            for scenario in (put[-1].scenarios if put else ())
        }


def _notice(order: Order, scenario: str, drift: Drift, *, at: datetime) -> Notice:
    assert drift.baseline is not None
    verb, unit = _WORDS[drift.verdict]
    text = (
        f"{order.path} {order.version}: scenario {scenario} {verb} {drift.samples[-1].value:.3g} {unit}, and used to "
        f"{verb.removesuffix('s')} {drift.baseline.median:.3g} {unit}"
    )
    return notice(order, kind=_KINDS[drift.verdict], scenario=scenario, text=text, at=at)
