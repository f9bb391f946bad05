"""Collections: whose data it is, what it is, and whether anybody ever measured it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swath_archive.domain.bands import Band

ID = re.compile(r"^[a-z0-9][a-z0-9._-]{1,79}$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Who made, processed or hands on the data."""

    name: str
    roles: tuple[str, ...]
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """A licence by its SPDX name, or ``other`` with the address of its text."""

    id: str
    href: str | None = None
    title: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionSpec:
    """Everything about a collection but its items.

    A simulated collection says so in id, title and description; `__post_init__` refuses one that does not.
    """

    id: str
    title: str
    description: str
    licence: Licence
    providers: tuple[Provider, ...]
    bands: tuple[Band, ...]
    provenance: str
    keywords: tuple[str, ...] = ()
    simulated: bool = False
    constellation: str | None = None
    platform: str | None = None
    instruments: tuple[str, ...] = ()
    gsd: float | None = None
    """Ground sampling distance, metres."""

    def __post_init__(self) -> None:
        if not ID.match(self.id):
            raise ValueError(f"collection id {self.id!r} does not match {ID.pattern}")
        names = [band.name for band in self.bands]
        if len(set(names)) != len(names):
            raise ValueError(f"collection {self.id!r} names a band twice: {names}")
        if self.simulated and not all("simulated" in text.lower() for text in (self.id, self.title, self.description)):
            raise ValueError(f"collection {self.id!r} is simulated and does not say so in id, title and description")

    @property
    def licence_links(self) -> tuple[Licence, ...]:
        """The licence, when it has an address to link to."""
        return (self.licence,) if self.licence.href else ()


COPERNICUS = Licence(
    id="other",
    href="https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice",
    title="Legal notice on the use of Copernicus Sentinel data",
)
LANDSAT = Licence(
    id="other",
    href="https://www.usgs.gov/faqs/are-there-any-restrictions-use-or-redistribution-landsat-data",
    title="Landsat data are in the public domain",
)
ESA = Provider(name="ESA", roles=("producer", "licensor"), url="https://sentinels.copernicus.eu")
USGS = Provider(name="USGS", roles=("producer", "licensor"), url="https://www.usgs.gov/landsat-missions")
HOST = Provider(name="This Swath archive", roles=("host", "processor"))
