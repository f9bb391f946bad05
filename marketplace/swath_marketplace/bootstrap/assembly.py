"""The services over the settings' database and folders."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI
from swath_archive.client import environment as archive_environment
from swath_quota.client import HttpQuotaClient, QuotaClient, StandingPolicies
from swath_sandbox import UidRegistry
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
from swath_marketplace.bootstrap.inputs import archive_of, observers_of
from swath_marketplace.bootstrap.lineage import lineages, reproducing
from swath_marketplace.bootstrap.maturity import assessing
from swath_marketplace.bootstrap.receipts import make_trust
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.local import LocalExecutor, LocalSettings
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.assessing import AssessmentClock, Assessor
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.collecting import Collector
from swath_marketplace.services.dossiers import Dossiers
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.gathering import RoundsOf
from swath_marketplace.services.holds import Cashier
from swath_marketplace.services.places import Places
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reproduction_keeper import ReproductionKeeper
from swath_marketplace.services.round_keeper import RoundKeeper
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.steps import Stepper
from swath_marketplace.services.terms import TermsBook
from swath_marketplace.store.added_value import PriceStore
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.store.runs import RunStore


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

    @property
    def workers(self) -> tuple[Worker, ...]:
        """What works in the background while the door is open, in the order of their starts."""
        return (self.reconciler, self.reproduction_keeper, self.assessments, self.keeper)


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

    Parameters
    ----------
    executor, comparer
        By default the sandbox of this machine.
    rounds
        Of benchmarks, where assessments look for them; by default those that are made here.
    """
    home, slots = settings.data.absolute() / "marketplace", settings.slots()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.url())
    database.migrate()
    folders = RunFolders(home / "runs")
    inventories, inputs = observers_of(settings, here=executor is None)
    executor = executor or _local_executor(settings, folders)
    algorithms, runs = AlgorithmStore(database), RunStore(database, rules=settings.rules())
    # What ran before this table was, a half-life that was changed: both count from now on.
    runs.queue.rebuild(now=clock())
    events, cashier = EventLogs(folders), Cashier(quota, clock=clock)
    registry = _registry(settings, algorithms, clock=clock)
    dossiers = Dossiers(registry=registry, store=DossierStore(database), artifacts=_artifacts(settings), clock=clock)
    assessed = assessing(
        settings,
        database,
        algorithms=algorithms,
        registry=registry,
        dossiers=dossiers,
        rounds=rounds or RoundStore(database),
        artifacts=_artifacts(settings),
        events=events,
        clock=clock,
    )
    maturity = assessed.maturity
    added_values = AddedValues(registry=registry, prices=PriceStore(database), maturity=maturity, clock=clock)
    terms = TermsBook(quota.standing)
    budgets = BudgetWatch(
        quota=quota, executor=executor, store=runs, clock=clock, grace_seconds=settings.checkpoint_grace_seconds
    )
    trust = make_trust(home, database, runs=runs, algorithms=algorithms, executor=executor, clock=clock)
    stepper = Stepper(
        store=runs,
        executor=executor,
        cashier=cashier,
        collector=Collector(folders=folders, algorithms=algorithms, inputs=inputs),
        budgets=budgets,
        packages=registry,
        environments=inventories,
        clock=clock,
        on_end=trust.issuer.on_end,
    )
    reconciler = Reconciler(
        store=runs,
        executor=executor,
        stepper=stepper,
        events=events,
        budgets=budgets,
        slots=slots,
        terms=terms,
        clock=clock,
        lease_seconds=settings.lease_seconds,
        companions=[trust.keeper],
    )
    service = Runs(
        store=runs,
        registry=registry,
        added_values=added_values,
        cashier=cashier,
        budgets=budgets,
        reconciler=reconciler,
        folders=folders,
        slots=slots,
        clock=clock,
    )
    comparer = comparer or make_comparer(settings)
    comparing = make_comparisons(settings, database, runs=service, run_store=runs, registry=registry, comparer=comparer)
    again = reproducing(
        settings, database, runs=service, registry=registry, folders=folders, inventories=inventories,
        trust=trust, comparer=comparer, clock=clock,
    )  # fmt: skip
    benches = benchmarks(
        settings,
        database,
        algorithms=algorithms,
        registry=registry,
        dossiers=dossiers,
        runs=service,
        folders=folders,
        comparer=comparer,
        clock=clock,
    )
    benches.rounds.add_listener(assessed.assessor.on_round)
    context = Context(
        registry=registry,
        added_values=added_values,
        comparisons=comparing.runs,
        version_comparisons=comparing.versions,
        dossiers=dossiers,
        maturity=maturity,
        rounds=benches.rounds,
        runs=service,
        lineages=lineages(database, runs=service),
        reproductions=again.reproductions,
        run_store=runs,
        places=Places(store=runs.queue, slots=slots, terms=terms, clock=clock),
        events=events,
        inventories=inventories,
        forms=FormTokens(),
        shapes=Shapes(prefix, maturity=maturity),
        trust=trust,
    )
    return Marketplace(
        context=context,
        reconciler=reconciler,
        reproduction_keeper=again.keeper,
        database=database,
        executor=executor,
        folders=folders,
        assessor=assessed.assessor,
        assessments=assessed.clock,
        comparer=comparer,
        keeper=benches.keeper,
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
        # Each of these starts a run.
        rules=[
            RateRule(policy="runs", method="POST", path=f"{prefix.rstrip('/')}/{path}")
            for path in ("runs", "reproductions", "runs/*/reproductions")
        ],
        windows=RateWindows(settings.rates_url),
    )
    return app


def _artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.data.absolute() / "marketplace" / "artifacts")


def _registry(settings: Settings, store: AlgorithmStore, *, clock: Clock) -> Registry:
    data = settings.data.absolute()
    return Registry(
        store=store,
        artifacts=_artifacts(settings),
        environments=EnvironmentRegistry(data / "environments"),
        slots=settings.slots(),
        dask_runs=settings.allow_dask_runs,
        clock=clock,
    )


def _local_executor(settings: Settings, folders: RunFolders) -> LocalExecutor:
    data = settings.data.absolute()
    return LocalExecutor(
        folders=folders,
        # One book for the users of JupyterLab and for runs: no two may have the same uid.
        uids=UidRegistry(data / "uids" / "uids.json"),
        settings=LocalSettings(
            archive=archive_of(settings),
            environment=archive_environment("/archive"),
            disk_bytes=settings.run_disk_mb << 20,
            allow=settings.allow(),
        ),
    )


def main() -> None:
    """Serve, as JupyterHub's environment says."""
    settings, hub = Settings(), HubSettings.from_environment()
    quota = HttpQuotaClient(settings.quota_url, hub.api_token)
    app = build(settings, quota=quota, identity=HubIdentity(api_url=hub.api_url), prefix=hub.prefix)
    install_sign_in(app)
    serve(app, service="marketplace", host=hub.host, port=hub.port, log_level=settings.log_level)
