"""Runs: where they take place, who brings them forward, who pays, and the service that callers meet."""

from __future__ import annotations

from dataclasses import dataclass

from swath_archive.client import environment as archive_environment
from swath_quota.client import QuotaClient
from swath_sandbox import UidRegistry

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.bootstrap.inputs import archive_of
from swath_marketplace.bootstrap.keeping import keeping
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.local import LocalExecutor, LocalSettings
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.collecting import Collector
from swath_marketplace.services.holds import Cashier
from swath_marketplace.services.inputs import InputObserver
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.services.keeping import ResultKeeper
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.services.places import Places
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.steps import Stepper
from swath_marketplace.services.terms import TermsBook
from swath_marketplace.services.trust import Trust
from swath_marketplace.store.added_value import PriceStore


@dataclass(frozen=True, kw_only=True)
class Running:
    """The reconciler and what callers ask for runs."""

    reconciler: Reconciler
    runs: Runs
    places: Places
    results: ResultKeeper


def local_executor(settings: Settings, folders: RunFolders) -> LocalExecutor:
    """The sandbox of this machine."""
    return LocalExecutor(
        folders=folders,
        # One book for the users of JupyterLab and for runs: no two may have the same uid.
        uids=UidRegistry(settings.data.absolute() / "uids" / "uids.json"),
        settings=LocalSettings(
            archive=archive_of(settings),
            environment=archive_environment("/archive"),
            disk_bytes=settings.run_disk_mb << 20,
            allow=settings.allow(),
        ),
    )


def make_added_values(ground: Ground, *, maturity: Maturity) -> AddedValues:
    """What authors ask on top of the resources."""
    prices = PriceStore(ground.database)
    return AddedValues(registry=ground.registry, prices=prices, maturity=maturity, clock=ground.clock)


def make_running(
    ground: Ground,
    added_values: AddedValues,
    *,
    quota: QuotaClient,
    executor: Executor,
    trust: Trust,
    inventories: Inventories,
    inputs: InputObserver,
) -> Running:
    """The parts; each run that ended is told to `trust`."""
    settings, clock, store = ground.settings, ground.clock, ground.run_store
    slots, terms = settings.slots(), TermsBook(quota.standing)
    keeper = keeping(ground, quota=quota)
    cashier = Cashier(quota, clock=clock)
    budgets = BudgetWatch(
        quota=quota, executor=executor, store=store, clock=clock, grace_seconds=settings.checkpoint_grace_seconds
    )

    def ended(run: Run) -> None:
        trust.issuer.on_end(run)
        keeper.on_end(run)

    stepper = Stepper(
        store=store,
        executor=executor,
        cashier=cashier,
        collector=Collector(folders=ground.folders, algorithms=ground.algorithms, inputs=inputs),
        budgets=budgets,
        packages=ground.registry,
        environments=inventories,
        clock=clock,
        on_end=ended,
    )
    reconciler = Reconciler(
        store=store,
        executor=executor,
        stepper=stepper,
        events=ground.events,
        budgets=budgets,
        slots=slots,
        terms=terms,
        clock=clock,
        lease_seconds=settings.lease_seconds,
        companions=[trust.keeper],
    )
    runs = Runs(
        store=store,
        registry=ground.registry,
        added_values=added_values,
        cashier=cashier,
        budgets=budgets,
        reconciler=reconciler,
        folders=ground.folders,
        slots=slots,
        check_address=ground.outgoing.check,
        clock=clock,
    )
    places = Places(store=store.queue, slots=slots, terms=terms, clock=clock)
    return Running(reconciler=reconciler, runs=runs, places=places, results=keeper)
