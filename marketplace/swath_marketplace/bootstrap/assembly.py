"""The services over the settings' database and folders."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI
from swath_quota.client import HttpQuotaClient, QuotaClient, StandingPolicies
from swath_sandbox.checks import check_isolation
from swath_service.app import serve
from swath_service.forms import FormTokens
from swath_service.identity import HubIdentity, Identity
from swath_service.oauth import install_sign_in
from swath_service.rates import RateRule, RateWindows, install_rates
from swath_service.settings import HubSettings

from swath_marketplace.api.app import Worker, make_app
from swath_marketplace.api.context import Context
from swath_marketplace.api.shapes import Shapes
from swath_marketplace.bootstrap.benchmarks import Benchmarks, benchmarks
from swath_marketplace.bootstrap.card import judging
from swath_marketplace.bootstrap.comparing import Comparing, make_comparer, make_comparisons
from swath_marketplace.bootstrap.exit import Exit, exits
from swath_marketplace.bootstrap.ground import Ground, lay_ground
from swath_marketplace.bootstrap.hooks import Hooks, make_hooks
from swath_marketplace.bootstrap.inputs import observers_of
from swath_marketplace.bootstrap.lineage import Reproducing, lineages, reproducing
from swath_marketplace.bootstrap.maturity import Assessing, assessing
from swath_marketplace.bootstrap.moderation import moderation
from swath_marketplace.bootstrap.ogc import ogc_services
from swath_marketplace.bootstrap.receipts import make_trust
from swath_marketplace.bootstrap.run_links import run_links
from swath_marketplace.bootstrap.running import Running, local_executor, make_added_values, make_running
from swath_marketplace.bootstrap.search import Searching, searching
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.assessing import AssessmentClock, Assessor
from swath_marketplace.services.gathering import RoundsOf
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.services.keeping import ResultKeeper
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.reproduction_keeper import ReproductionKeeper
from swath_marketplace.services.round_keeper import RoundKeeper
from swath_marketplace.services.trust import Trust
from swath_marketplace.store.database import Database
from swath_marketplace.store.rounds import RoundStore

#: Doors below the service's that start a run each, and are counted as such.
_STARTS_RUNS = (
    "runs",
    "reproductions",
    "runs/*/reproductions",
    "imported-runs/*/reproductions",
    "ogc/processes/*/execution",
)


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """Everything of the service but its door."""

    context: Context
    reconciler: Reconciler
    reproduction_keeper: ReproductionKeeper
    database: Database
    executor: Executor
    folders: RunFolders
    assessor: Assessor
    assessments: AssessmentClock
    comparer: Comparer
    keeper: RoundKeeper
    results: ResultKeeper
    leaving: Exit
    search: Searching
    hooks: Hooks

    @property
    def workers(self) -> tuple[Worker, ...]:
        """What works in the background while the door is open, in the order of their starts."""
        watching = (self.reconciler, self.reproduction_keeper, self.assessments, self.keeper)
        keepers = (
            self.search.keeper,
            self.leaving.keeper,
            self.results,
            self.hooks.deliverer,
            self.context.judging.follow_keeper,
        )
        return (*watching, *keepers)


def assemble(
    settings: Settings,
    *,
    quota: QuotaClient,
    executor: Executor | None = None,
    comparer: Comparer | None = None,
    rounds: RoundsOf | None = None,
    clock: Clock = utc_now,
    prefix: str,
) -> Marketplace:
    """The services over the settings' database and folders; the database is migrated.

    By default the sandbox of this machine executes and compares, and assessments look at the rounds made here.
    """
    ground = lay_ground(settings, clock=clock)
    inventories, inputs = observers_of(settings, here=executor is None)
    executor = executor or local_executor(settings, ground.folders)
    comparer = comparer or make_comparer(settings)
    assessed = assessing(ground, rounds=rounds or RoundStore(ground.database))
    added_values = make_added_values(ground, maturity=assessed.maturity)
    trust = make_trust(ground, executor=executor)
    running = make_running(
        ground, added_values, quota=quota, executor=executor, trust=trust, inventories=inventories, inputs=inputs
    )
    again = reproducing(ground, runs=running.runs, inventories=inventories, trust=trust, comparer=comparer)
    benches = benchmarks(ground, runs=running.runs, comparer=comparer)
    benches.rounds.add_listener(assessed.assessor.on_round)
    parts = _Parts(
        ground=ground,
        added_values=added_values,
        assessed=assessed,
        again=again,
        benches=benches,
        comparing=make_comparisons(ground, runs=running.runs, comparer=comparer),
        hooks=make_hooks(ground, prefix=prefix),
        inventories=inventories,
        leaving=exits(ground, quota=quota, trust=trust, reproductions=again.reproductions),
        running=running,
        search=searching(ground),
        trust=trust,
    )
    return Marketplace(
        context=_context(parts, settings, prefix=prefix),
        reconciler=running.reconciler,
        reproduction_keeper=again.keeper,
        database=ground.database,
        executor=executor,
        folders=ground.folders,
        assessor=assessed.assessor,
        assessments=assessed.clock,
        comparer=comparer,
        keeper=benches.keeper,
        results=running.results,
        leaving=parts.leaving,
        search=parts.search,
        hooks=parts.hooks,
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the capabilities are made of, each by its own module."""

    ground: Ground
    added_values: AddedValues
    assessed: Assessing
    again: Reproducing
    benches: Benchmarks
    comparing: Comparing
    hooks: Hooks
    inventories: Inventories
    leaving: Exit
    running: Running
    search: Searching
    trust: Trust


def _context(parts: _Parts, settings: Settings, *, prefix: str) -> Context:
    """What handlers work with."""
    ground, running = parts.ground, parts.running
    return Context(
        registry=ground.registry,
        added_values=parts.added_values,
        comparisons=parts.comparing.runs,
        version_comparisons=parts.comparing.versions,
        dossiers=ground.dossiers,
        maturity=parts.assessed.maturity,
        judging=judging(ground, runs=running.runs, added_values=parts.added_values, maturity=parts.assessed.maturity),
        moderation=moderation(ground, running=running, assessed=parts.assessed),
        rounds=parts.benches.rounds,
        run_links=run_links(ground, runs=running.runs),
        runs=running.runs,
        ogc=ogc_services(ground, runs=running.runs, deliverer=parts.hooks.deliverer, prefix=prefix),
        lineages=lineages(ground.database, runs=running.runs),
        reproductions=parts.again.reproductions,
        run_store=ground.run_store,
        places=running.places,
        events=ground.events,
        inventories=parts.inventories,
        forms=FormTokens(),
        searches=parts.search.searches,
        shapes=Shapes(prefix, maturity=parts.assessed.maturity, clock=ground.clock),
        trust=parts.trust,
        exits=parts.leaving.doors,
        webhooks=parts.hooks.webhooks,
        answers=parts.hooks.answers,
        wait_seconds=settings.wait_seconds,
    )


def build(settings: Settings, *, quota: QuotaClient, identity: Identity, prefix: str) -> FastAPI:
    """The whole service.

    Raises
    ------
    SandboxUnavailable
        When this machine cannot isolate runs and the operator did not give that up.
    """
    check_isolation(settings.allow())
    made = assemble(settings, quota=quota, prefix=prefix)
    app = make_app(context=made.context, workers=made.workers, identity=identity, prefix=prefix)
    install_rates(
        app,
        policies=StandingPolicies(quota.standing),
        prefix=prefix,
        rules=[RateRule(policy="runs", method="POST", path=f"{prefix.rstrip('/')}/{path}") for path in _STARTS_RUNS],
        windows=RateWindows(settings.rates_url),
    )
    return app


def main() -> None:
    """Serve, as JupyterHub's environment says."""
    settings, hub = Settings(), HubSettings.from_environment()
    quota = HttpQuotaClient(settings.quota_url, hub.api_token)
    app = build(settings, quota=quota, identity=HubIdentity(api_url=hub.api_url), prefix=hub.prefix)
    install_sign_in(app)
    serve(app, service="marketplace", host=hub.host, port=hub.port, log_level=settings.log_level)
