"""Algorithms that other platforms offer, read from their OGC API Records: listed beside ours, never run here.

Records as ESA APEx writes them (https://github.com/ESA-APEx/apex_algorithms, schemas/record.json); the core is
OGC API - Records - Part 1 (OGC 20-004r1). Every text in them is foreign: plain text to us, and no address in them is
fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from swath_marketplace.domain.searching import Entry, EntryKind, Facet

RECORD_CORE = "https://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"
#: Conformance class -> what is called there.
OFFERS = {
    "https://apex.esa.int/core/openeo-udp": "openEO process",
    "https://apex.esa.int/core/ogc-api-processes": "OGC API process",
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_FLOATING = re.compile(r"/(?:refs/heads/)?(?:main|master|develop|latest)/")
#: Relation -> what its link is called where it has no title; others are left out. Pictures are never shown.
RELATIONS = {
    "service": "Service",
    "application": "Application",
    "webapp": "Web application",
    "about": "About",
    "code": "Code",
    "notebook": "Notebook",
    "order": "Request access",
    "license": "Licence",
    "cite-as": "Cite as",
    "example-output": "Example output",
}
#: Stands where nobody says who it is.
NOT_TOLD = "not told"
_MOST_LINKS = 40


class RecordRefused(Exception):
    """A record that cannot be listed; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalLink:
    """An address that a record gives."""

    rel: str
    title: str
    href: str
    media_type: str

    @property
    def pinned(self) -> bool:
        """Whether it may be taken to stay as it is: nothing in it names a branch that moves on."""
        return _FLOATING.search(self.href) is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """Who provides something, or where it runs."""

    title: str
    """`NOT_TOLD` where no record says it."""
    href: str = ""
    """Its website; empty where none is told."""

    @property
    def known(self) -> bool:
        """Whether a record says who it is."""
        return self.title != NOT_TOLD


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalEntry:
    """One algorithm of another platform."""

    source: str
    """Catalogue that it was imported from: the operator's word."""
    record_id: str
    title: str
    description: str
    offers: str
    """What is called there: one of `OFFERS`, or ``service``."""
    provider: Party
    platform: Party
    """Where it runs."""
    licence: str
    """As the record writes it; empty where it says nothing."""
    cost: str
    """As the record writes it, not in our credits; empty where it says nothing."""
    keywords: tuple[str, ...]
    formats: tuple[str, ...]
    version: str
    links: tuple[ExternalLink, ...]
    updated: str
    """ISO time, as the record writes it."""

    @property
    def key(self) -> str:
        """``source/record_id``: unique here."""
        return f"{self.source}/{self.record_id}"

    @property
    def service(self) -> ExternalLink:
        """Where it is called."""
        return next(link for link in self.links if link.rel == "service")

    def as_dict(self) -> dict[str, Any]:
        """JSON form, which `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExternalEntry:
        """The entry that `as_dict` wrote."""
        made = {
            "provider": Party(**data["provider"]),
            "platform": Party(**data["platform"]),
            "links": tuple(ExternalLink(**link) for link in data["links"]),
            "keywords": tuple(data["keywords"]),
            "formats": tuple(data["formats"]),
        }
        return cls(**{**data, **made})


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedEntry:
    """An entry as it stands in the list."""

    entry: ExternalEntry
    record_sha256: str
    imported_at: datetime


def catalogue_entry(listed: ListedEntry) -> Entry:
    """The line of the catalogue that leads to an entry."""
    entry = listed.entry
    return Entry(
        kind=EntryKind.EXTERNAL,
        key=entry.key,
        path=entry.key,
        href=f"external/{entry.key}",
        title=entry.title,
        summary=entry.description[:500],
        keywords=entry.keywords,
        body=f"{entry.description} {entry.provider.title} {entry.platform.title} {entry.offers}",
        facets={
            **({Facet.PLATFORM: (entry.platform.title,)} if entry.platform.known else {}),
            **({Facet.AUTHOR: (entry.provider.title,)} if entry.provider.known else {}),
            **({Facet.LICENCE: (entry.licence,)} if entry.licence else {}),
        },
        published_at=_moment(entry.updated) or listed.imported_at,
        card={"external": True, "runnable_here": False, "offers": entry.offers, "service": entry.service.href},
    )


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_entry(source: str, record: object, *, provider: object, platform: object) -> ExternalEntry:
    """The entry that `record` describes.

    Parameters
    ----------
    provider, platform
        The records that it links to; ``None`` where they cannot be read.

    Raises
    ------
    RecordRefused
    """
    told = _object(record, "the record")
    properties = _object(told.get("properties"), "properties")
    record_id = told.get("id")
    if not isinstance(record_id, str) or not _ID.fullmatch(record_id):
        raise RecordRefused("id: expected letters, digits, '.', '_' and '-'")
    conforms = _texts(told.get("conformsTo"))
    if told.get("type") != "Feature" or RECORD_CORE not in conforms:
        raise RecordRefused("conformsTo: no record of OGC API - Records")
    if properties.get("type") != "service":
        raise RecordRefused("properties.type: no service that can be called")
    if properties.get("visibility", "public") != "public":
        raise RecordRefused("properties.visibility: its publisher does not list it")
    title, description = _text(properties.get("title"), 200), _text(properties.get("description"), 5000)
    if not title or not description:
        raise RecordRefused("properties.title and properties.description: both must say something")
    links = _links(told.get("links"))
    if not any(link.rel == "service" for link in links):
        raise RecordRefused("links: none of relation service with an https address: nobody could call it")
    named = {link["rel"]: link for link in reversed(_listed(told.get("links"))) if isinstance(link.get("rel"), str)}
    return ExternalEntry(
        source=source,
        record_id=record_id,
        title=title,
        description=description,
        offers=next((word for name, word in OFFERS.items() if name in conforms), "service"),
        provider=_party(provider, named.get("provider")),
        platform=_party(platform, named.get("platform")),
        licence=_text(properties.get("license"), 200),
        cost=_cost(properties),
        keywords=tuple(_text(word, 100) for word in _texts(properties.get("keywords"))[:50]),
        formats=_formats(properties.get("formats")),
        version=_text(properties.get("version"), 50),
        links=links,
        updated=_text(properties.get("updated"), 40),
    )


def remarks_of(entry: ExternalEntry, record: object) -> tuple[str, ...]:
    """What of a listed record was left out, or what its readers have to know."""
    told = record.get("links") if isinstance(record, Mapping) else None
    known = {link.href for link in entry.links}
    found = [
        f"links: the address of relation {one['rel']} was left out, because no browser may be sent there"
        for one in _listed(told)
        if one.get("rel") in RELATIONS and one.get("href") not in known
    ]
    if not entry.licence:
        found.append("properties.license: nothing is told")
    if any(link.rel == "application" and not link.pinned for link in entry.links):
        found.append("links: the application is read from a branch, and may change without a new version")
    return tuple(found)


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordRefused(f"{what}: expected a JSON object")
    return value


def _text(value: object, most: int) -> str:
    """One line or paragraphs of plain text, without what no reader sees; empty for anything else."""
    if not isinstance(value, str):
        return ""
    seen = "".join(letter for letter in value if letter.isprintable() or letter == "\n")
    return seen.strip()[:most]


def _texts(value: object) -> Sequence[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _listed(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def web_address(value: object) -> str:
    """`value` when it is an address that a browser may be sent to; empty for anything else."""
    if not isinstance(value, str) or len(value) > 2000 or any(letter.isspace() for letter in value):
        return ""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return ""
    return value if parts.scheme in ("https", "http") and host and parts.username is None else ""


def _links(value: object) -> tuple[ExternalLink, ...]:
    found = []
    for one in _listed(value)[:_MOST_LINKS]:
        rel, href = one.get("rel"), web_address(one.get("href"))
        if not isinstance(rel, str) or rel not in RELATIONS or not href:
            continue
        if rel == "service" and not href.startswith("https://"):
            continue
        title = _text(one.get("title"), 200) or RELATIONS[rel]
        found.append(ExternalLink(rel=rel, title=title, href=href, media_type=_text(one.get("type"), 100)))
    return tuple(found)


def _party(record: object, link: Mapping[str, Any] | None) -> Party:
    """Who is meant by a link to another record: by that record, or where it is not there by the link's title."""
    properties = record.get("properties") if isinstance(record, Mapping) else None
    title = _text(properties.get("title"), 200) if isinstance(properties, Mapping) else ""
    websites = [one for one in _listed(record.get("links")) if one.get("rel") == "website"] if title else []  # type: ignore[attr-defined]
    href = next((address for one in websites if (address := web_address(one.get("href")))), "")
    return Party(title=title or _text((link or {}).get("title"), 200) or NOT_TOLD, href=href)


def _cost(properties: Mapping[str, Any]) -> str:
    estimate, unit = properties.get("cost_estimate"), _text(properties.get("cost_unit"), 100)
    if isinstance(estimate, bool) or not isinstance(estimate, int | float):
        return ""
    return f"{estimate:g} {unit or 'in a unit that is not told'}"


def _formats(value: object) -> tuple[str, ...]:
    names = [_text(one.get("name") or one.get("mediaType"), 100) for one in _listed(value)[:30]]
    return tuple(name for name in names if name)
