"""What search finds: an entry of the catalogue, its facets, and the orders in which entries can come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath_marketplace.domain.maturity import MaturityLevel


class EntryKind(StrEnum):
    """What an entry stands for."""

    ALGORITHM = "algorithm"
    """Published here; it can be called here."""
    EXTERNAL = "external"
    """Told by another platform's catalogue; it runs there."""


class Facet(StrEnum):
    """What entries are told apart by; each is also the name of a parameter of the search."""

    LEVEL = "level"
    COLLECTION = "collection"
    BAND = "band"
    LICENCE = "licence"
    PRICE = "price"
    ENVIRONMENT = "environment"
    AUTHOR = "author"
    PLATFORM = "platform"
    """Where it runs."""


#: Value of `Facet.PLATFORM` of everything that runs in this Swath.
HERE = "here"


class Price(StrEnum):
    """Values of `Facet.PRICE`: what the author asks beside the resources."""

    FREE = "free"
    PAID = "paid"


class Sort(StrEnum):
    """Orders; of entries that are alike in one the newest comes first."""

    RELEVANCE = "relevance"
    """By where the words of the search occur; where they tell nothing, by level and use."""
    USE = "use"
    """Runs by others than the author."""
    LEVEL = "level"
    NEWEST = "newest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the catalogue: a pure fold of what is stored elsewhere, so that it can always be made anew."""

    kind: EntryKind
    key: str
    """Unique among the entries of its kind: an algorithm's id."""
    path: str
    """As people call it: ``owner/name`` of an algorithm."""
    href: str
    """Address of its card, relative to the marketplace's."""
    title: str
    summary: str = ""
    keywords: tuple[str, ...] = ()
    body: str = ""
    """Further words that it is found by, as plain text; not told in lists."""
    facets: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    use: int = 0
    """Ended runs of others."""
    published_at: datetime
    """Of what it offers now."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Further members that a list tells of it, JSON values."""
    hidden: bool = False
    """Whether only its author and operators find it."""
    due_at: datetime | None = None
    """When it changes by itself, unless something happens before: a level expires, an announced price begins."""

    @property
    def level(self) -> MaturityLevel | None:
        """How mature it is; ``None`` where nobody here says so."""
        told = self.facets.get(Facet.LEVEL, ())
        return MaturityLevel(told[0]) if told else None

    @property
    def author(self) -> str:
        """Who may find it while it is hidden."""
        return next(iter(self.facets.get(Facet.AUTHOR, ())), "")
