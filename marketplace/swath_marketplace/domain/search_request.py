"""What somebody asks the catalogue, read from words that may be wrong; and the place where a page of answers ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from swath_service.cursors import decode, encode
from swath_service.errors import Invalid

from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.search_words import Term, terms
from swath_marketplace.domain.searching import EntryKind, Facet, Price, Sort

#: Most characters of a search.
LONGEST_TEXT = 200
MOST_ENTRIES = 200
MOST_OFFSET = 1_000_000
_MOST_CHOSEN = 50
_LONGEST_VALUE = 128
#: Facets whose values are known beforehand; of the others any may be asked for.
_CLOSED: Mapping[Facet, Sequence[str]] = {
    Facet.LEVEL: [level.value for level in MaturityLevel],
    Facet.PRICE: [price.value for price in Price],
}
#: Parameter -> kinds of entries.
KINDS: Mapping[str, tuple[EntryKind, ...]] = {
    **{kind.value: (kind,) for kind in EntryKind},
    "any": tuple(EntryKind),
}

#: Where an entry stands in an order: smaller ones come first, and no two entries have the same.
Place = tuple[int, ...]
#: How many numbers a place has in each order.
_PLACED_BY: Mapping[Sort, int] = {Sort.RELEVANCE: 5, Sort.USE: 3, Sort.LEVEL: 4, Sort.NEWEST: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRequest:
    """One question to the catalogue."""

    text: str = ""
    chosen: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    """One of the values of each facet that is here."""
    kinds: tuple[EntryKind, ...] = (EntryKind.ALGORITHM,)
    sort: Sort = Sort.NEWEST
    limit: int = 50
    offset: int = 0
    after: Place | None = None
    """Where the page before ended; then `offset` is 0."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The words of `text`."""
        return terms(self.text)

    @property
    def asks_words(self) -> bool:
        """Whether there is anything in `text`, be it no word."""
        return bool(self.text.strip())

    @property
    def fingerprint(self) -> str:
        """The same for every page of one answer."""
        chosen = sorted((facet.value, sorted(values)) for facet, values in self.chosen.items())
        said = [self.text, chosen, [kind.value for kind in self.kinds], self.sort.value]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()[:16]

    def cursor(self, place: Place) -> str:
        """What asks for the page after `place`: opaque to callers, and good for this question alone."""
        return encode(place, of=self._list)

    def place(self, cursor: str) -> Place:
        """The place that `cursor` was given.

        Raises
        ------
        Invalid
            It is none of this question's.
        """
        return cast(Place, decode(cursor, (int,) * _PLACED_BY[self.sort], of=self._list))

    @property
    def _list(self) -> str:
        return f"search {self.fingerprint}"


#: What a caller sends: parameters, each as often as it is given.
Given = Mapping[str, Sequence[str]]


def read_request(given: Given, *, kind: str = EntryKind.ALGORITHM.value, limit: int = 50) -> SearchRequest:
    """The question that `given` asks.

    Parameters
    ----------
    kind, limit
        Where `given` says none.

    Raises
    ------
    Invalid
        Every value that is wrong, with its field and those that would do.
    """
    faults: list[dict[str, str]] = []
    text = _one(given, "q", "", faults)
    if len(text) > LONGEST_TEXT or "\0" in text:
        faults.append(_fault("q", f"a search has at most {LONGEST_TEXT} characters", "search for fewer words"))
    # What is asked by words comes by how well they fit, unless another order is asked for.
    usual = Sort.RELEVANCE if text.strip() else Sort.NEWEST
    sort = _member(given, "sort", [one.value for one in Sort], usual.value, faults)
    chosen = {facet: values for facet in Facet if (values := _values(given, facet, faults))}
    request = SearchRequest(
        text=text,
        chosen=chosen,
        kinds=KINDS[_member(given, "kind", list(KINDS), kind, faults)],
        sort=Sort(sort),
        limit=_number(given, "limit", range(1, MOST_ENTRIES + 1), limit, faults),
        offset=_number(given, "offset", range(MOST_OFFSET + 1), 0, faults),
    )
    after = _after(given, request, faults)
    if faults:
        raise Invalid(
            code="search-invalid",
            message="; ".join(f"{fault['field']}: {fault['message']}" for fault in faults),
            mend="; ".join(fault["mend"] for fault in faults),
            findings=faults,
        )
    return SearchRequest(
        **{name: getattr(request, name) for name in ("text", "chosen", "kinds", "sort", "limit", "offset")},
        after=after,
    )


def _values(given: Given, facet: Facet, faults: list[dict[str, str]]) -> tuple[str, ...]:
    names = [facet.value, *(["owner"] if facet is Facet.AUTHOR else [])]
    values = tuple(dict.fromkeys(value for name in names for value in given.get(name, ()) if value))
    known = _CLOSED.get(facet)
    if len(values) > _MOST_CHOSEN:
        faults.append(_fault(facet.value, f"at most {_MOST_CHOSEN} values", "choose fewer"))
    for value in values:
        if known and value not in known:
            faults.append(_wrong(facet.value, value, known))
        elif len(value) > _LONGEST_VALUE or "\0" in value:
            faults.append(
                _fault(facet.value, "no such value is stored", "see the facets of an answer for those there are")
            )
    return values


def _member(given: Given, name: str, known: Sequence[str], otherwise: str, faults: list[dict[str, str]]) -> str:
    value = _one(given, name, otherwise, faults) or otherwise
    if value in known:
        return value
    faults.append(_wrong(name, value, known))
    return otherwise


def _number(given: Given, name: str, within: range, otherwise: int, faults: list[dict[str, str]]) -> int:
    value = _one(given, name, "", faults)
    if not value:
        return otherwise
    if value.isascii() and value.isdigit() and len(value) < 12 and int(value) in within:
        return int(value)
    faults.append(_fault(name, f"{value[:40]!r} is no such number", f"a whole number, {within[0]} to {within[-1]}"))
    return otherwise


def _one(given: Given, name: str, otherwise: str, faults: list[dict[str, str]]) -> str:
    values = given.get(name, ())
    if len(values) > 1:
        faults.append(_fault(name, "given more than once", "give it once"))
    return values[0] if values else otherwise


def _after(given: Given, request: SearchRequest, faults: list[dict[str, str]]) -> Place | None:
    cursor = _one(given, "cursor", "", faults)
    if not cursor:
        return None
    if request.offset:
        faults.append(_fault("cursor", "a page begins at a cursor or at an offset", "leave the offset out"))
    try:
        return request.place(cursor)
    except Invalid:
        mend = "send it as the page before gave it, with the same q, facets and sort; or begin again without it"
        faults.append(_fault("cursor", "this cursor is not of this search", mend))
        return None


def _wrong(name: str, value: str, known: Sequence[str]) -> dict[str, str]:
    return _fault(name, f"{value[:40]!r} is none of its values", f"one of {', '.join(known)}")


def _fault(name: str, message: str, mend: str) -> dict[str, str]:
    return {"field": name, "message": message, "mend": mend}


def without(request: SearchRequest) -> Iterator[tuple[Facet, Mapping[Facet, tuple[str, ...]]]]:
    """Of each facet that something was chosen of: what is chosen of the others."""
    for facet in request.chosen:
        yield facet, {other: values for other, values in request.chosen.items() if other is not facet}
