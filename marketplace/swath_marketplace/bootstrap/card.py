"""Cards, favourites and follows, entries of other platforms."""

from __future__ import annotations

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.domain.clock import utc_now
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.cards import Cards, CardSources
from swath_marketplace.services.citations import Citations
from swath_marketplace.services.examples import Examples
from swath_marketplace.services.externals import Externals
from swath_marketplace.services.following import Following, FollowKeeper
from swath_marketplace.services.judging import Judging
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.services.reading_cards import CardFiles
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.database import Database
from swath_marketplace.store.externals import ExternalStore
from swath_marketplace.store.following import FollowingStore
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.store.run_samples import RunSamples


def judging(ground: Ground, *, runs: Runs, added_values: AddedValues, maturity: Maturity) -> Judging:
    """The services of cards; followers are told of what is published soon."""
    database, clock, put = ground.database, ground.clock, ground.dossier_store
    store = FollowingStore(database)
    keeper = FollowKeeper(algorithms=ground.algorithms, store=store, maturity=maturity, clock=clock)
    following = Following(registry=ground.registry, store=store, keeper=keeper, clock=clock)
    files = CardFiles(ground.dossiers)
    examples = Examples(
        registry=ground.registry,
        rounds=RoundStore(database),
        runs=ground.run_store,
        dossiers=put,
        folders=ground.folders,
    )
    ground.registry.add_listener(keeper.wake)
    sources = CardSources(
        registry=ground.registry,
        maturity=maturity,
        added_values=added_values,
        runs=runs,
        samples=RunSamples(database),
        dossiers=put,
        files=files,
        examples=examples,
        citations=Citations(files=files),
        following=following,
    )
    externals = Externals(store=ExternalStore(database), clock=clock)
    return Judging(cards=Cards(sources), following=following, follow_keeper=keeper, externals=externals)


def external_entries(database: Database) -> Externals:
    """The entries of other platforms alone, for the command that imports them."""
    return Externals(store=ExternalStore(database), clock=utc_now)
