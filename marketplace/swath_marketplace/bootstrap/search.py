"""Search, wired."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.bootstrap.ground import Ground, lay_ground
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import utc_now
from swath_marketplace.domain.searching import EntryKind
from swath_marketplace.services.search_index import IndexKeeper, SearchIndex
from swath_marketplace.services.searching import Searches
from swath_marketplace.store.externals import ExternalStore
from swath_marketplace.store.search import SearchStore
from swath_marketplace.store.search_facts import AlgorithmSource


@dataclass(frozen=True, kw_only=True)
class Searching:
    """Searches, and what keeps them true."""

    searches: Searches
    index: SearchIndex
    keeper: IndexKeeper


def reindex() -> int:
    """Make the search index of the settings' database anew, also while the service is up; answers how many entries."""
    return searching(lay_ground(Settings(), clock=utc_now)).index.rebuild()


def searching(ground: Ground) -> Searching:
    """The service over the marketplace's database. Its index catches up when it is asked first."""
    settings, store = ground.settings, SearchStore(ground.database)
    index = SearchIndex(store=store, clock=ground.clock, settings=f"marks_raise={settings.marks_raise}")
    source = AlgorithmSource(ground.database, artifacts=ground.artifacts, marks_raise=settings.marks_raise)
    index.add_source(EntryKind.ALGORITHM, source)
    index.add_source(EntryKind.EXTERNAL, ExternalStore(ground.database))
    return Searching(searches=Searches(store=store, index=index), index=index, keeper=IndexKeeper(index))
