"""Searching the catalogue, for whoever may read it."""

from __future__ import annotations

import difflib
import heapq
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swath_service.actor import Actor, Scope

from swath_marketplace.domain.facets import FacetCount, FacetSets, Line, bits_of, numbers_of
from swath_marketplace.domain.search_request import Place, SearchRequest, without
from swath_marketplace.domain.search_words import Term, tokens
from swath_marketplace.domain.searching import Entry, Facet, Sort
from swath_marketplace.domain.visibility import viewer_of
from swath_marketplace.services.search_index import SearchIndex
from swath_marketplace.store.search import NOTHING, SearchStore, Snapshot
from swath_marketplace.store.search_text import Asked, Column

log = logging.getLogger(__name__)

#: What a term is worth by where it occurs; one in several places counts in the best.
_WEIGHTS = {Column.TITLE: 8, Column.SUMMARY: 4, Column.KEYWORDS: 2, Column.BODY: 1}
#: The last word, which may go on, is worth more where it stands in a title as it is.
_WHOLE_WORD = 2
_MOST_VALUES = 30
_NEAR = 0.74


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """Why nothing was found, and what would be."""

    message: str
    facet: Facet | None = None
    """That would have to be given up."""
    text: str | None = None
    """Words to search for instead."""
    count: int | None = None
    """How many there would be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A page of what was found."""

    entries: Sequence[Entry]
    total: int
    facets: Mapping[Facet, Sequence[FacetCount]]
    cursor: str | None
    """Asks for the next page; ``None`` at the end."""
    hints: Sequence[Hint] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Matched:
    """What the words of a request say."""

    bits: int
    """Entries in which all of them occur."""
    scores: Sequence[tuple[int, int]] = ()
    """Sets of entries and what being in one is worth."""
    missing: Sequence[Term] = ()
    """Words that occur nowhere."""


class Searches:
    """Answers from the index as it is now.

    Facets are counted in sets that this process keeps in memory, read on from the database whenever that is ahead;
    several processes may answer side by side.
    """

    def __init__(self, *, store: SearchStore, index: SearchIndex) -> None:
        self._store = store
        self._index = index
        self._lock = threading.Lock()
        self._latest: Snapshot = NOTHING

    def state(self, actor: Actor) -> str:
        """Changes whenever an answer to `actor` may be another than before."""
        actor.require(Scope.READ)
        self._refresh()
        viewer = viewer_of(actor)
        return f"{self._snapshot(())[0].generation}:{viewer.sees_all}:{viewer.owner}"

    def find(self, actor: Actor, request: SearchRequest) -> Answer:
        """What is found, a page of it, with the counts of every facet."""
        actor.require(Scope.READ)
        self._refresh()
        asked = _asked(request.terms)
        snapshot, found = self._snapshot(asked)
        sets = snapshot.sets
        visible = sets.visible(request.kinds, viewer=viewer_of(actor))
        matched = _matched(request, asked, found)
        within = visible & matched.bits if request.asks_words else visible
        selected = sets.select(request.chosen, within)
        total = selected.bit_count()
        places = _places(sets, selected, request, matched)
        more = len(places) > request.offset + request.limit
        page = places[request.offset : request.offset + request.limit]
        return Answer(
            entries=self._store.entries([place[-1] for place in page]),
            total=total,
            facets=sets.counts(request.chosen, within, most=_MOST_VALUES),
            cursor=request.cursor(page[-1]) if more and page else None,
            hints=() if total else self._hints(sets, request, matched, within),
        )

    def _refresh(self) -> None:
        try:
            self._index.refresh()
        except Exception:
            # What is found is then as old as the last fold, and better than nothing.
            log.exception("the search index could not be brought up to date")

    def _snapshot(self, asked: Sequence[Asked]) -> tuple[Snapshot, Sequence[Sequence[int]]]:
        snapshot, found = self._store.read(self._latest, asked)
        with self._lock:
            if snapshot.generation > self._latest.generation:
                self._latest = snapshot
        return snapshot, found

    def _hints(self, sets: FacetSets, request: SearchRequest, matched: _Matched, within: int) -> Sequence[Hint]:
        if request.asks_words and not request.terms:
            return [Hint(message="there is no letter and no digit in what was searched for")]
        hints = [self._misspelt(request, term) for term in matched.missing]
        for facet, chosen in without(request):
            count = sets.select(chosen, within).bit_count()
            if count:
                values = ", ".join(request.chosen[facet])
                hints.append(Hint(message=f"without {facet.value} {values}", facet=facet, count=count))
        if not hints and within and len(request.chosen) > 1:
            hints.append(Hint(message="without any filter", count=within.bit_count()))
        if not hints and len(request.terms) > 1:
            hints.append(Hint(message="each word occurs, but nowhere all of them: search for fewer words"))
        return hints

    def _misspelt(self, request: SearchRequest, term: Term) -> Hint:
        known = {word for text in self._store.vocabulary() for word in tokens(text) if len(word) > 2}
        near = difflib.get_close_matches("".join(term.parts), known, n=1, cutoff=_NEAR)
        message = f"nothing has the word {term.raw!r}"
        if not near:
            return Hint(message=message)
        text = " ".join(near[0] if word == term.raw else word for word in request.text.split())
        return Hint(message=f"{message}; {near[0]!r} is near", text=text)


def _asked(terms: Sequence[Term]) -> list[Asked]:
    """Each term in each column; and the last one as it is in titles, if it may go on."""
    asked = [(term, column, False) for term in terms for column in Column]
    return asked + [(term, Column.TITLE, True) for term in terms if term.prefix]


def _matched(request: SearchRequest, asked: Sequence[Asked], found: Sequence[Sequence[int]]) -> _Matched:
    everywhere: dict[Term, int] = dict.fromkeys(request.terms, 0)
    scores: list[tuple[int, int]] = []
    for (term, column, exact), numbers in zip(asked, found, strict=True):
        bits = bits_of(numbers)
        # Columns come the weightiest first, so what is new in this one has the term in no better place.
        scores.append((bits if exact else bits & ~everywhere[term], _WHOLE_WORD if exact else _WEIGHTS[column]))
        everywhere[term] |= bits
    all_of_them = -1 if everywhere else 0
    for bits in everywhere.values():
        all_of_them &= bits
    missing = [term for term, bits in everywhere.items() if not bits]
    return _Matched(bits=all_of_them, scores=scores, missing=missing)


def _places(sets: FacetSets, selected: int, request: SearchRequest, matched: _Matched) -> list[Place]:
    """Where the first entries of the page and what comes before them stand; one more than the page has, if there is."""
    worth = dict.fromkeys(numbers_of(selected), 0)
    if request.sort is Sort.RELEVANCE:
        for bits, weight in matched.scores:
            for number in numbers_of(bits & selected):
                worth[number] += weight
    place = _ORDERS[request.sort]
    lines, after = sets.lines, request.after
    found = (place(lines[number], points, number) for number, points in worth.items())
    beyond = found if after is None else (one for one in found if one > after)
    return heapq.nsmallest(request.offset + request.limit + 1, beyond)


#: A line, its points and its number -> where it stands.
_ORDERS: Mapping[Sort, Callable[[Line, int, int], Place]] = {
    Sort.RELEVANCE: lambda line, points, number: (-points, -line.rank, -line.use, -line.published_us, number),
    Sort.USE: lambda line, _, number: (-line.use, -line.published_us, number),
    Sort.LEVEL: lambda line, _, number: (-line.rank, -line.use, -line.published_us, number),
    Sort.NEWEST: lambda line, _, number: (-line.published_us, number),
}
