"""What the catalogue's page shows and where its links lead: every choice is an address, so it needs no script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from swath_marketplace.api.rendering import credits_text
from swath_marketplace.api.search_shapes import ordered
from swath_marketplace.domain.facets import FacetCount
from swath_marketplace.domain.search_request import SearchRequest
from swath_marketplace.domain.searching import HERE, Entry, EntryKind, Facet, Sort
from swath_marketplace.services.searching import Answer, Hint

_TITLES = {
    Facet.LEVEL: "Maturity",
    Facet.PRICE: "Price",
    Facet.COLLECTION: "Collection",
    Facet.BAND: "Band",
    Facet.LICENCE: "Licence",
    Facet.ENVIRONMENT: "Environment",
    Facet.AUTHOR: "Author",
    Facet.PLATFORM: "Where it runs",
}
#: Facets that are open though nothing of them is chosen, where there is room.
_OPEN = frozenset({Facet.LEVEL, Facet.PRICE, Facet.COLLECTION})
_WORDS = {
    (Facet.PRICE, "free"): "resources only",
    (Facet.PRICE, "paid"): "with added value",
    (Facet.PLATFORM, HERE): "this Swath",
}
_PER = {"run": "a run", "km2": "a km²", "cpu_hour": "a CPU-hour"}
_SORTS = {
    Sort.RELEVANCE: "Best match",
    Sort.USE: "Most used",
    Sort.LEVEL: "Most mature",
    Sort.NEWEST: "Newest",
}


@dataclass(frozen=True, kw_only=True)
class FacetBox:
    """A facet of the form."""

    name: str
    title: str
    values: Sequence[FacetCount]
    is_open: bool

    @property
    def chosen(self) -> int:
        """How many of its values are chosen."""
        return sum(one.chosen for one in self.values)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A value that is chosen, and the address without it."""

    title: str
    word: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The page of one answer."""

    answer: Answer
    asked: SearchRequest
    base: str
    narrow: bool = False
    """Whether it is shown on a telephone: what was found comes first there."""

    @property
    def boxes(self) -> Sequence[FacetBox]:
        """The facets that tell entries apart, or of which something is chosen."""
        told = [(facet, ordered(facet, self.answer.facets)) for facet in _TITLES]
        return [
            FacetBox(
                name=facet.value,
                title=_TITLES[facet],
                values=values,
                is_open=facet in self.asked.chosen or (facet in _OPEN and not self.narrow),
            )
            for facet, values in told
            if len(values) > 1 or facet in self.asked.chosen
        ]

    @property
    def sorts(self) -> Sequence[tuple[str, str, bool]]:
        """Value, words and whether it is chosen, of each order that makes sense here.

        The usual one has no value: who then searches for words gets the order that is usual with those.
        """
        made = [one for one in Sort if one is not Sort.RELEVANCE or self.asked.asks_words]
        return [("" if one is self._usual else one.value, _SORTS[one], one is self.asked.sort) for one in made]

    @property
    def removals(self) -> Sequence[Removal]:
        """Everything that narrows the answer, each to be taken away by itself."""
        return list(self._removals())

    @property
    def narrowed(self) -> bool:
        """Whether anything was asked for."""
        return self.asked.asks_words or bool(self.asked.chosen)

    def _removals(self) -> Iterator[Removal]:
        if self.asked.asks_words:
            yield Removal(title="Words", word=self.asked.text, href=self._href(self._pairs(text="")))
        for facet, values in self.asked.chosen.items():
            for value in values:
                rest = {**self.asked.chosen, facet: tuple(one for one in values if one != value)}
                yield Removal(
                    title=_TITLES[facet], word=self.word(facet.value, value), href=self._href(self._pairs(chosen=rest))
                )

    @property
    def everything(self) -> str:
        """The catalogue with nothing chosen."""
        return f"{self.base}/algorithms"

    @property
    def following(self) -> str | None:
        """The next page."""
        return self._href([*self._pairs(), ("cursor", self.answer.cursor)]) if self.answer.cursor else None

    @property
    def first(self) -> str | None:
        """The first page, where this is another."""
        return self._href(self._pairs()) if self.asked.after or self.asked.offset else None

    def word(self, facet: str, value: str) -> str:
        """How people say a value."""
        return _WORDS.get((Facet(facet), value), value)

    def platform(self, entry: Entry) -> str:
        """Where an entry runs."""
        return next(iter(entry.facets.get(Facet.PLATFORM, ())), "")

    def told(self, entry: Entry) -> Iterator[str]:
        """What stands at the foot of an entry's card, in few words."""
        if entry.kind is EntryKind.ALGORITHM:
            yield _price_words(entry.card.get("price"))
        elif licences := entry.facets.get(Facet.LICENCE):
            yield licences[0]
        if entry.use:
            yield "used once" if entry.use == 1 else f"used {entry.use:,} times"
        rate = (entry.card.get("use") or {}).get("success_rate")
        if rate is not None:
            # Never rounded up to a promise.
            yield f"{math.floor(rate * 100)} % succeed"

    def mended(self, hint: Hint) -> str | None:
        """The address that a hint speaks of."""
        if hint.text is not None:
            return self._href(self._pairs(text=hint.text))
        if hint.facet is not None:
            rest = {facet: values for facet, values in self.asked.chosen.items() if facet is not hint.facet}
            return self._href(self._pairs(chosen=rest))
        return self._href(self._pairs(chosen={})) if hint.count else None

    @property
    def _usual(self) -> Sort:
        return Sort.RELEVANCE if self.asked.asks_words else Sort.NEWEST

    def _pairs(
        self, *, text: str | None = None, chosen: Mapping[Facet, tuple[str, ...]] | None = None
    ) -> list[tuple[str, str]]:
        words = self.asked.text if text is None else text
        pairs = [("q", words)] if words else []
        facets = self.asked.chosen if chosen is None else chosen
        pairs += [(facet.value, value) for facet, values in facets.items() for value in values]
        return pairs if self.asked.sort is self._usual else [*pairs, ("sort", self.asked.sort.value)]

    def _href(self, pairs: Sequence[tuple[str, str | None]]) -> str:
        query = urlencode([(name, value) for name, value in pairs if value])
        return f"{self.everything}?{query}" if query else self.everything


def _price_words(price: Mapping[str, Any] | None) -> str:
    if not price:
        return "resources only"
    return f"{credits_text(price['millicredits'])} credits {_PER[price['per']]}"
