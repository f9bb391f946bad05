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
from swath_marketplace.bootstrap.benchmarks import benchmarks
from swath_marketplace.bootstrap.comparing import make_comparer, make_comparisons
from swath_marketplace.bootstrap.exit import Exit, exits
from swath_marketplace.bootstrap.ground import lay_ground
from swath_marketplace.bootstrap.hooks import Hooks, make_hooks
from swath_marketplace.bootstrap.inputs import observers_of
from swath_marketplace.bootstrap.lineage import lineages, reproducing
from swath_marketplace.bootstrap.maturity import assessing
from swath_marketplace.bootstrap.moderation import moderation
from swath_marketplace.bootstrap.ogc import ogc_services
from swath_marketplace.bootstrap.receipts import make_trust
from swath_marketplace.bootstrap.running import local_executor, make_added_values, make_running
from swath_marketplace.bootstrap.search import Searching, searching
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.assessing import AssessmentClock, Assessor
from swath_marketplace.services.gathering import RoundsOf
from swath_marketplace.services.keeping import ResultKeeper
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.reproduction_keeper import ReproductionKeeper
from swath_marketplace.services.round_keeper import RoundKeeper
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
        keepers = (self.keeper, self.search.keeper, self.leaving.keeper, self.results, self.hooks.deliverer)
        return (self.reconciler, self.reproduction_keeper, self.assessments, *keepers)


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
    maturity = assessed.maturity
    added_values = make_added_values(ground, maturity=maturity)
    trust = make_trust(ground, executor=executor)
    running = make_running(
        ground, added_values, quota=quota, executor=executor, trust=trust, inventories=inventories, inputs=inputs
    )
    comparing = make_comparisons(ground, runs=running.runs, comparer=comparer)
    again = reproducing(ground, runs=running.runs, inventories=inventories, trust=trust, comparer=comparer)
    benches = benchmarks(ground, runs=running.runs, comparer=comparer)
    search = searching(ground)
    hooks = make_hooks(ground)
    benches.rounds.add_listener(assessed.assessor.on_round)
    leaving = exits(ground, quota=quota, trust=trust, reproductions=again.reproductions)
    context = Context(
        registry=ground.registry,
        added_values=added_values,
        comparisons=comparing.runs,
        version_comparisons=comparing.versions,
        dossiers=ground.dossiers,
        maturity=maturity,
        moderation=moderation(ground, running=running),
        rounds=benches.rounds,
        runs=running.runs,
        ogc=ogc_services(ground, runs=running.runs),
        lineages=lineages(ground.database, runs=running.runs),
        reproductions=again.reproductions,
        run_store=ground.run_store,
        places=running.places,
        events=ground.events,
        inventories=inventories,
        forms=FormTokens(),
        searches=search.searches,
        shapes=Shapes(prefix, maturity=maturity, clock=clock),
        trust=trust,
        exits=leaving.doors,
        webhooks=hooks.webhooks,
        wait_seconds=settings.wait_seconds,
    )
    return Marketplace(
        context=context,
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
        leaving=leaving,
        search=search,
        hooks=hooks,
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
