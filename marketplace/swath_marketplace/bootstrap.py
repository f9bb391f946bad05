"""Read the settings and choose what the service works with. The only place that does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
from fastapi import FastAPI
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL
from swath_archive.client import environment as archive_environment
from swath_quota.client import HttpQuotaClient, QuotaClient, StandingPolicies
from swath_sandbox import Allow, UidRegistry
from swath_sandbox.checks import check_isolation
from swath_service.app import serve
from swath_service.identity import HubIdentity, Identity
from swath_service.oauth import install_sign_in
from swath_service.rates import RateRule, RateWindows, install_rates
from swath_service.settings import HubSettings

from swath_marketplace.api.app import make_app
from swath_marketplace.api.context import Context
from swath_marketplace.api.shapes import Shapes
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.shares import Rules
from swath_marketplace.executors.local import LocalExecutor, LocalSettings
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.collecting import Collector
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.holds import Cashier
from swath_marketplace.services.places import Places
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.steps import Stepper
from swath_marketplace.services.terms import TermsBook
from swath_marketplace.store.added_value import MarkStore, PriceStore
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.runs import RunStore


class Settings(BaseSettings):
    """Settings of the marketplace, from the environment."""

    model_config = SettingsConfigDict(env_prefix="SWATH_MARKETPLACE_", extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SWATH_MARKETPLACE_DATABASE_URL", "SWATH_DATABASE_URL"),
        repr=False,
    )
    """``sqlite:////path`` or ``postgresql+psycopg://…``; by default in the data folder."""
    data: Path = Field(
        default_factory=lambda: Path.home() / ".local/share/swath", validation_alias=AliasChoices("SWATH_DATA")
    )
    """Swath's data folder."""
    quota_url: str = Field(
        default="http://127.0.0.1:8001/services/quota/", validation_alias=AliasChoices("SWATH_QUOTA_URL")
    )
    archive: Path | None = Field(
        default=None, validation_alias=AliasChoices("SWATH_MARKETPLACE_ARCHIVE", "SWATH_ARCHIVE")
    )
    """Folder that runs see as ``/archive``; by default ``archive`` in the data folder."""
    slots_cpus: float | None = Field(default=None, gt=0)
    """Processor cores that runs may take together; by default all."""
    slots_memory_mb: int | None = Field(default=None, gt=0)
    """Memory that runs may take together; by default three quarters of the machine's."""
    runs_per_caller: int = Field(default=2, ge=1)
    """Most runs of one caller at a time, where the caller's tier says nothing."""
    share_half_life_hours: float = Field(default=168, gt=0)
    """After so long what a caller took of the machine counts half in the order of the queue."""
    aging_hours: float = Field(default=24, ge=0)
    """A caller who waited so long, and got nothing since, is served before all others."""
    checkpoint_grace_seconds: float = Field(default=30, ge=0, le=3600)
    """From the request to checkpoint, when a run's credits end, to its stop; what is held covers it."""
    run_disk_mb: int = Field(default=10_240, ge=1)
    """Most that one run may write."""
    lease_seconds: float = Field(default=15, gt=0, le=600)
    """How long a run waits for a reconciler that went silent."""
    allow_no_bwrap: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_NO_BWRAP"))
    allow_no_cgroups: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_NO_CGROUPS"))
    allow_dask_runs: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_DASK_RUNS"))
    """Whether versions that ask for Dask may be published; their runs share the machine's network, without a token."""
    rates_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("SWATH_MARKETPLACE_RATES_URL", "SWATH_RATES_URL")
    )
    """``redis://…`` where several processes of this service count rates together; by default each counts alone."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    def url(self) -> str:
        """Where algorithms and runs are kept."""
        if self.database_url:
            return self.database_url
        path = (self.data / "marketplace" / "marketplace.sqlite").absolute()
        return URL.create("sqlite", database=str(path)).render_as_string()

    def allow(self) -> frozenset[Allow]:
        """What the operator gave up of the sandbox."""
        given = {Allow.NO_BWRAP: self.allow_no_bwrap, Allow.NO_CGROUPS: self.allow_no_cgroups}
        return frozenset(allow for allow, wanted in given.items() if wanted)

    def rules(self) -> Rules:
        """How fairness counts."""
        return Rules(half_life_seconds=self.share_half_life_hours * 3600, aging_seconds=self.aging_hours * 3600)

    def slots(self) -> Slots:
        """What of the machine runs may take together."""
        memory_mb = self.slots_memory_mb or int(psutil.virtual_memory().total * 0.75) >> 20
        return Slots(
            cpus=self.slots_cpus or float(os.cpu_count() or 1), memory_mb=memory_mb, per_caller=self.runs_per_caller
        )


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """Everything of the service but its door."""

    context: Context
    reconciler: Reconciler
    database: Database
    executor: Executor
    folders: RunFolders


def assemble(
    settings: Settings, *, quota: QuotaClient, executor: Executor | None = None, clock: Clock = utc_now, prefix: str
) -> Marketplace:
    """The services over the settings' database and folders; the database is migrated.

    Parameters
    ----------
    executor
        By default the sandbox of this machine.
    """
    home, slots = settings.data.absolute() / "marketplace", settings.slots()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.url())
    database.migrate()
    folders = RunFolders(home / "runs")
    executor = executor or _local_executor(settings, folders)
    algorithms, runs = AlgorithmStore(database), RunStore(database, rules=settings.rules())
    # What ran before this table was, a half-life that was changed: both count from now on.
    runs.queue.rebuild(now=clock())
    events, cashier = EventLogs(folders), Cashier(quota, clock=clock)
    registry = _registry(settings, algorithms, clock=clock)
    marks = MarkStore(database)
    added_values = AddedValues(registry=registry, prices=PriceStore(database), marks=marks, maturity=marks, clock=clock)
    terms = TermsBook(quota.standing)
    budgets = BudgetWatch(
        quota=quota, executor=executor, store=runs, clock=clock, grace_seconds=settings.checkpoint_grace_seconds
    )
    stepper = Stepper(
        store=runs,
        executor=executor,
        cashier=cashier,
        collector=Collector(folders=folders, algorithms=algorithms),
        budgets=budgets,
        packages=registry,
        clock=clock,
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
    context = Context(
        registry=registry,
        added_values=added_values,
        runs=service,
        run_store=runs,
        places=Places(store=runs.queue, slots=slots, terms=terms, clock=clock),
        events=events,
        shapes=Shapes(prefix),
    )
    return Marketplace(context=context, reconciler=reconciler, database=database, executor=executor, folders=folders)


def build(settings: Settings, *, quota: QuotaClient, identity: Identity, prefix: str) -> FastAPI:
    """The whole service.

    Raises
    ------
    SandboxUnavailable
        When this machine cannot isolate runs and the operator did not give that up.
    """
    check_isolation(settings.allow())
    made = assemble(settings, quota=quota, prefix=prefix)
    app = make_app(context=made.context, reconciler=made.reconciler, identity=identity, prefix=prefix)
    install_rates(
        app,
        policies=StandingPolicies(quota.standing),
        prefix=prefix,
        rules=[RateRule(policy="runs", method="POST", path=f"{prefix.rstrip('/')}/runs")],
        windows=RateWindows(settings.rates_url),
    )
    return app


def _registry(settings: Settings, store: AlgorithmStore, *, clock: Clock) -> Registry:
    data = settings.data.absolute()
    return Registry(
        store=store,
        artifacts=ArtifactStore(data / "marketplace" / "artifacts"),
        environments=EnvironmentRegistry(data / "environments"),
        slots=settings.slots(),
        dask_runs=settings.allow_dask_runs,
        clock=clock,
    )


def _local_executor(settings: Settings, folders: RunFolders) -> LocalExecutor:
    data = settings.data.absolute()
    archive = (settings.archive or data / "archive").absolute()
    return LocalExecutor(
        folders=folders,
        # One book for the users of JupyterLab and for runs: no two may have the same uid.
        uids=UidRegistry(data / "uids" / "uids.json"),
        settings=LocalSettings(
            archive=archive if archive.is_dir() else None,
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
