"""What programs get of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.facets import FacetCount
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.search_request import SearchRequest
from swath_marketplace.domain.searching import Entry, Facet
from swath_marketplace.services.searching import Answer, Hint


def answer_of(answer: Answer, asked: SearchRequest, *, base: str, following: str | None) -> dict[str, Any]:
    """A page of what was found.

    Parameters
    ----------
    following
        Where the next page is.
    """
    by_offset = asked.after is None
    return {
        "algorithms": [entry_of(entry, base=base) for entry in answer.entries],
        "total": answer.total,
        "sort": asked.sort.value,
        "facets": {facet.value: [_count(one) for one in ordered(facet, answer.facets)] for facet in Facet},
        "hints": [_hint(hint) for hint in answer.hints],
        "limit": asked.limit,
        "offset": asked.offset if by_offset else None,
        "next_offset": asked.offset + asked.limit if by_offset and following else None,
        "next_cursor": answer.cursor,
        "links": {"next": following},
    }


def entry_of(entry: Entry, *, base: str) -> dict[str, Any]:
    """An entry of a list."""
    return {
        "kind": entry.kind.value,
        "title": entry.title,
        "summary": entry.summary,
        "keywords": list(entry.keywords),
        "collections": list(entry.facets.get(Facet.COLLECTION, ())),
        "bands": list(entry.facets.get(Facet.BAND, ())),
        "platform": next(iter(entry.facets.get(Facet.PLATFORM, ())), None),
        "published_at": iso(entry.published_at),
        **entry.card,
        "links": {"self": f"{base}/{entry.href}"},
    }


def ordered(facet: Facet, counts: Mapping[Facet, Sequence[FacetCount]]) -> Sequence[FacetCount]:
    """The values of a facet as people look for them: levels from the top, the others by how many there are."""
    told = counts.get(facet, ())
    return sorted(told, key=lambda one: -MaturityLevel(one.value).rank) if facet is Facet.LEVEL else told


def _count(one: FacetCount) -> dict[str, Any]:
    return {"value": one.value, "count": one.count, "chosen": one.chosen}


def _hint(hint: Hint) -> dict[str, Any]:
    facet = hint.facet.value if hint.facet else None
    return {"message": hint.message, "without": facet, "q": hint.text, "count": hint.count}
