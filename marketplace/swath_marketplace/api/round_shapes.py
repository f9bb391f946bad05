"""What callers get of benchmarks: domain objects as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swath.contract.comparison import Comparison

from swath_marketplace.api.shapes import Shapes
from swath_marketplace.domain.benchmarks import Order, Round, ScenarioResult
from swath_marketplace.domain.breaks import Break, Notice
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.drift import Drift, ScenarioDrift
from swath_marketplace.services.rounds import RoundView


class RoundShapes:
    """Shapes answers; links stand where those of `shapes` do."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def view(self, view: RoundView) -> dict[str, Any]:
        """A round as it stands."""
        order = view.order
        ended = order.as_round(view.results, ended_at=order.ended_at) if order.ended_at else None
        return {
            **self._order(order),
            "state": order.state.value,
            "green": ended.green if ended else None,
            "asked_at": iso(order.asked_at),
            "started_at": iso(order.started_at),
            "ended_at": iso(order.ended_at),
            "results": [self._result(order.id, one) for one in view.results],
            "runs": [
                {"scenario": run.scenario, "ordinal": run.ordinal, "run": run.run_id, "failure": run.failure}
                for run in view.runs
            ],
        }

    def ended(self, one: Round) -> dict[str, Any]:
        """A round that has ended."""
        return {
            "id": one.id,
            "version_digest": one.version_digest,
            "dossier_digest": one.dossier_digest,
            "environment_lock_sha256": one.environment_lock_sha256,
            "trigger": one.trigger.value,
            "asked_by": one.asked_by,
            "state": "ended",
            "green": one.green,
            "started_at": iso(one.started_at),
            "ended_at": iso(one.ended_at),
            "results": [self._result(one.id, result) for result in one.results],
            "links": {"self": self._shapes.below(f"rounds/{one.id}")},
        }

    def broken(self, one: Break) -> dict[str, Any]:
        """A break: which output or cell failed, what its comparison found, and the runs."""
        failing = one.result.failing
        return {
            "id": one.id,
            "algorithm": f"{one.owner}/{one.name}",
            "version": one.version,
            "version_digest": one.version_digest,
            "scenario": one.scenario,
            "message": one.result.message,
            "output": failing[0] if failing else None,
            "cell": one.result.cell,
            "comparison": failing[1].as_dict() if failing else None,
            "runs": list(one.result.run_ids),
            "opened_at": iso(one.opened_at),
            "closed_at": iso(one.closed_at),
            "closed_why": one.closed_why,
            "links": {
                "round": self._shapes.below(f"rounds/{one.round_id}"),
                "closed_by": self._shapes.below(f"rounds/{one.closed_by}") if one.closed_by else None,
            },
        }

    def notice(self, one: Notice) -> dict[str, Any]:
        """A notice."""
        return {
            "id": one.id,
            "kind": one.kind.value,
            "text": one.text,
            "at": iso(one.at),
            "read_at": iso(one.read_at),
            "links": {"about": self._shapes.below(one.link) if one.link else None},
        }

    @staticmethod
    def drift(one: ScenarioDrift) -> dict[str, Any]:
        """How a scenario moved; time in seconds, cost in credits."""
        return {
            "seconds": _drift(one.seconds),
            "cost_credits": _drift(one.cost),
            "outputs": {
                name: [
                    {"at": iso(sample.at), "verdict": sample.verdict, "differing": sample.differing}
                    | {"largest": sample.largest}
                    for sample in samples
                ]
                for name, samples in one.outputs.items()
            },
        }

    def _order(self, order: Order) -> dict[str, Any]:
        return {
            "id": order.id,
            "algorithm": order.path,
            "version": order.version,
            "version_digest": order.version_digest,
            "dossier_digest": order.dossier_digest,
            "environment_lock_sha256": order.environment_lock_sha256,
            "number": order.number,
            "trigger": order.trigger.value,
            "asked_by": order.asked_by,
            "links": {"self": self._shapes.below(f"rounds/{order.id}")},
        }

    def _result(self, round_id: str, one: ScenarioResult) -> dict[str, Any]:
        told = one.as_dict()
        for member, kind, found in (
            ("comparisons", "reference", one.comparisons),
            ("repeated", "repeat", one.repeated),
        ):
            told[member] = self._comparisons(f"rounds/{round_id}/pictures/{one.scenario}/{kind}", found)
        return told

    def _comparisons(self, folder: str, found: Mapping[str, Comparison]) -> dict[str, Any]:
        return {
            name: one.as_dict() | {"picture": self._shapes.below(f"{folder}/{one.picture}") if one.picture else None}
            for name, one in found.items()
        }


def _drift(drift: Drift) -> dict[str, Any]:
    baseline = drift.baseline
    return {
        "verdict": drift.verdict.value,
        "median": baseline.median if baseline else None,
        "margin": baseline.margin if baseline else None,
        "counted": baseline.samples if baseline else 0,
        "samples": [{"at": iso(one.at), "value": one.value} for one in drift.samples],
    }
