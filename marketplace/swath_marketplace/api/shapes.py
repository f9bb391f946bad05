"""What callers get: domain objects as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion, Environment
from swath_marketplace.domain.clock import Clock, iso, utc_now
from swath_marketplace.domain.fairness import Forecast
from swath_marketplace.domain.keeping import FOR_EVER, state_of
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.runs import Checkpoint, OutputFile, Run
from swath_marketplace.services.holds import Offer


class Levels(Protocol):
    """Where the levels of versions come from."""

    def levels_of(self, versions: Iterable[AlgorithmVersion]) -> Mapping[tuple[str, str], MaturityLevel]:
        """The level of each version now, by algorithm and digest."""
        ...


class Shapes:
    """Shapes answers; links stand under `prefix`."""

    def __init__(self, prefix: str, *, maturity: Levels, clock: Clock = utc_now) -> None:
        self._base = prefix.rstrip("/")
        self._maturity = maturity
        self._clock = clock

    @property
    def base(self) -> str:
        """What links begin with."""
        return self._base

    def environment(self, environment: Environment) -> dict[str, Any]:
        """An environment; where it lies on this machine is nobody's business."""
        return {"name": environment.name, "title": environment.title, "lock_sha256": environment.lock_sha256}

    def version(self, version: AlgorithmVersion) -> dict[str, Any]:
        """A version."""
        here = f"{self._algorithm_path(version.owner, version.name)}/versions/{quote(version.version, safe='')}"
        meta = version.metadata
        level = self._maturity.levels_of([version])[version.algorithm_id, version.digest]
        return {
            "owner": version.owner,
            "name": version.name,
            "version": version.version,
            "digest": version.digest,
            "maturity": level.value,
            "title": meta.get("title"),
            "summary": meta.get("summary"),
            "license": meta.get("license"),
            "keywords": meta.get("keywords"),
            "references": meta.get("references"),
            "interface": dict(version.interface),
            "environment": {"name": version.environment, "lock_sha256": version.environment_lock_sha256},
            "resources": version.resources.as_dict(),
            "published_at": iso(version.published_at),
            "yanked_at": iso(version.yanked_at),
            "yank_reason": version.yank_reason,
            "revoked_at": iso(version.revoked_at),
            "revoked_reason": version.revoked_reason,
            "links": {
                "self": here,
                "notebook": f"{here}/notebook",
                "schema": f"{here}/schema",
                "maturity": f"{here}/maturity",
            },
        }

    def algorithms(self, found: Sequence[Algorithm]) -> list[dict[str, Any]]:
        """Algorithms of a list, each with the level of its latest version."""
        levels = self._maturity.levels_of(one.latest for one in found if one.latest)
        return [self.algorithm(one, levels=levels) for one in found]

    def algorithm(
        self,
        algorithm: Algorithm,
        *,
        whole: bool = False,
        levels: Mapping[tuple[str, str], MaturityLevel] | None = None,
    ) -> dict[str, Any]:
        """An algorithm; with all its versions when `whole`.

        Parameters
        ----------
        levels
            Of its versions, where they were asked for already.
        """
        latest = algorithm.latest
        if levels is None:
            levels = self._maturity.levels_of([*algorithm.versions, *([latest] if latest else [])])
        told: dict[str, Any] = {
            "owner": algorithm.owner,
            "name": algorithm.name,
            "title": algorithm.title,
            "summary": algorithm.summary,
            "keywords": list(algorithm.keywords),
            "latest_version": latest.version if latest else None,
            "maturity": levels[latest.algorithm_id, latest.digest].value if latest else None,
            "created_at": iso(algorithm.created_at),
            "updated_at": iso(algorithm.updated_at),
            "hidden_at": iso(algorithm.hidden_at),
            "hidden_reason": algorithm.hidden_reason,
            "links": {"self": self._algorithm_path(algorithm.owner, algorithm.name)},
        }
        if whole:
            told["latest"] = self.version(latest) if latest else None
            told["runs_count"] = algorithm.runs_count
            told["versions"] = [
                {
                    "version": version.version,
                    "digest": version.digest,
                    "maturity": levels[version.algorithm_id, version.digest].value,
                    "published_at": iso(version.published_at),
                    "yanked_at": iso(version.yanked_at),
                    "yank_reason": version.yank_reason,
                    "revoked_at": iso(version.revoked_at),
                    "revoked_reason": version.revoked_reason,
                }
                for version in algorithm.versions
            ]
        return told

    def offer(self, version: AlgorithmVersion, offer: Offer) -> dict[str, Any]:
        """What a run would cost; amounts in millicredits."""
        return {
            "algorithm": version.path,
            "version": version.version,
            "digest": version.digest,
            "hold_millicredits": offer.hold,
            "ceiling_millicredits": offer.ceiling,
            "estimate": offer.estimate.as_dict() if offer.estimate else None,
            "added_value": offer.added_value.as_dict() if offer.added_value else None,
        }

    def run(self, run: Run, *, place: Forecast | None = None) -> dict[str, Any]:
        """A run; with where it stands in the queue, for one that waits and was looked up there."""
        here = f"{self._base}/runs/{run.id}"
        return {
            "id": run.id,
            "algorithm": f"{run.owner}/{run.name}",
            "owner": run.owner,
            "name": run.name,
            "version": run.version,
            "digest": run.digest,
            "caller": run.caller,
            "purpose": run.purpose.value,
            "status": run.status.value,
            "progress": round(run.progress, 4),
            "parameters": dict(run.parameters),
            "error": run.error.as_dict() if run.error else None,
            "refusal": run.refusal.as_dict() if run.refusal else None,
            "quote_millicredits": run.quote_millicredits,
            "budget_millicredits": run.budget_millicredits,
            "ceiling_millicredits": run.ceiling_millicredits,
            "estimate": run.estimate.as_dict() if run.estimate else None,
            "added_value": run.added_value.as_dict() if run.added_value else None,
            "cost_millicredits": run.cost_millicredits if run.terminal else None,
            "cost": _cost(run),
            "usage": run.usage.as_dict() if run.usage else None,
            "queue": _place(place),
            "checkpoint": _checkpoint(run.checkpoint),
            "created_at": iso(run.created_at),
            "started_at": iso(run.started_at),
            "ended_at": iso(run.ended_at),
            "outputs": [self.output(run, output) for output in run.outputs] if run.terminal else [],
            **_keeping(run, self._clock()),
            "inputs": [dict(item) for item in run.inputs],
            "observation": dict(run.observation) if run.observation else None,
            "environment": dict(run.environment) if run.environment else None,
            "links": {
                "self": here,
                "events": f"{here}/events",
                "log": f"{here}/log",
                "results": f"{here}/results",
                "receipt": f"{here}/receipt",
                "lineage": f"{here}/lineage",
                "reproductions": f"{here}/reproductions",
            },
        }

    def output(self, run: Run, output: OutputFile) -> dict[str, Any]:
        """One output of a run."""
        return {**output.as_dict(), "href": self.result_path(run.id, output.name)}

    def result_path(self, run_id: str, name: str) -> str:
        """Where an output is."""
        return f"{self._base}/runs/{run_id}/results/{name}"

    def archive_item_path(self, collection: str, item: str) -> str:
        """Where the archive next door has an item."""
        beside = self._base.rpartition("/")[0]
        return f"{beside}/archive/collections/{quote(collection, safe='')}/items/{quote(item, safe='')}"

    def below(self, path: str) -> str:
        """The address of `path` below this service's."""
        return f"{self._base}/{path}"

    def receipt_path(self, run_id: str) -> str:
        """Where a run's receipt is."""
        return f"{self._base}/runs/{run_id}/receipt"

    def _algorithm_path(self, owner: str, name: str) -> str:
        return f"{self._base}/algorithms/{quote(owner, safe='')}/{name}"


def _cost(run: Run) -> dict[str, int] | None:
    """What of an ended run's cost was for its resources, and what for the author's added value."""
    if not run.terminal or run.cost_millicredits is None:
        return None
    added = (run.added_value.paid or 0) if run.added_value else 0
    return {"resources_millicredits": run.cost_millicredits - added, "added_value_millicredits": added}


def _keeping(run: Run, now: datetime) -> dict[str, Any]:
    """Whether the outputs' files are there, and until when; no time: for ever, or it is being found out."""
    state = state_of(run, now=now)
    until = None if run.kept_until == FOR_EVER else run.kept_until
    return {
        "results_state": state.value if state else None,
        "kept_until": iso(until),
        "results_expired_at": iso(run.results_expired_at),
    }


def _place(place: Forecast | None) -> dict[str, Any] | None:
    if place is None:
        return None
    seconds = place.wait_seconds
    return {"runs_before": place.before, "wait_seconds": None if seconds is None else round(seconds)}


def _checkpoint(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    return {"code": checkpoint.code, "message": checkpoint.message, "asked_at": iso(checkpoint.asked_at)}
