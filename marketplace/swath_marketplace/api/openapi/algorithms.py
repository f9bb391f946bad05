"""Doors of algorithms, versions, dossiers, environments and prices."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from swath_marketplace.api.openapi.door import Door, ListPage, Word
from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.maturity import MaturityLevel


class Health(Word):
    """Whether the service answers."""

    status: Literal["ok"]


class About(Word):
    """What this is, and who you are here."""

    title: str
    version: str
    user: str
    links: dict[str, str]


class Environment(Word):
    """A locked environment."""

    name: str
    title: str
    lock_sha256: str


class Environments(Word):
    """The environments that notebooks may name."""

    environments: list[Environment]


class Locked(Word):
    """The environment of a version."""

    name: str
    lock_sha256: str


class Finding(Word):
    """One thing that is to be said of a notebook."""

    code: str
    message: str
    severity: str
    mend: str
    cell: int | None = None
    line: int | None = None


class Validation(Word):
    """A notebook, read."""

    ok: bool
    findings: list[Finding]
    interface: dict[str, Any] | None
    schema_: dict[str, Any] | None = Field(alias="schema")
    metadata: dict[str, Any] | None


class Version(Word):
    """A version: it never changes, but that it may be yanked or revoked."""

    owner: str
    name: str
    version: str
    digest: str
    """sha256 over notebook, interface and environment."""
    maturity: MaturityLevel
    title: str | None
    summary: str | None
    license: str | None
    keywords: list[str] | None
    references: list[Any] | None
    interface: dict[str, Any]
    """Parameters and outputs, typed."""
    environment: Locked
    resources: dict[str, Any]
    published_at: datetime
    yanked_at: datetime | None
    yank_reason: str | None
    links: dict[str, str]


class Published(Version):
    """A version, and what is to be said of its notebook."""

    findings: list[Finding]


class VersionLine(Word):
    """A version in its algorithm's list."""

    version: str
    digest: str
    maturity: MaturityLevel
    published_at: datetime
    yanked_at: datetime | None
    yank_reason: str | None


class Algorithm(Word):
    """An author's name for a thing."""

    owner: str
    name: str
    title: str
    summary: str
    keywords: list[str]
    latest_version: str | None
    maturity: MaturityLevel | None
    created_at: datetime
    updated_at: datetime
    links: dict[str, str]


class Entry(Word):
    """An algorithm as it is found: of this Swath, or another platform's record of one."""

    kind: str
    title: str
    summary: str
    keywords: list[str]
    collections: list[str]
    bands: list[str]
    platform: str | None
    published_at: datetime | None
    owner: str | None = None
    name: str | None = None
    maturity: MaturityLevel | None = None
    links: dict[str, str]


class FacetCount(Word):
    """How many there are of a value."""

    value: str
    count: int
    chosen: bool


class Search(ListPage):
    """A page of what was found."""

    algorithms: list[Entry]
    sort: str
    facets: dict[str, list[FacetCount]]
    hints: list[dict[str, Any]]


class WholeAlgorithm(Algorithm):
    """An algorithm with its versions."""

    latest: Version | None
    runs_count: int
    versions: list[VersionLine]


class Price(Word):
    """What an author asks from some moment on."""

    version: int
    per: Per | None
    millicredits: int
    set_by: str
    set_at: datetime
    effective_at: datetime


class PriceBook(Word):
    """The price in force, and every one that was set."""

    algorithm: str
    current: Price | None
    prices: list[Price]


class DossierFile(Word):
    """A file beside a version."""

    path: str
    sha256: str
    href: str


class Dossier(Word):
    """What stands beside a version."""

    algorithm: str
    version: str
    version_digest: str
    number: int
    digest: str
    put_by: str
    put_at: datetime
    files: list[DossierFile]
    scenarios: list[dict[str, Any]]
    links: dict[str, str]


class DossierLine(Word):
    """A dossier that was put."""

    number: int
    digest: str
    put_by: str
    put_at: datetime


class DossierHistory(Dossier):
    """The latest dossier, and every one that was put."""

    history: list[DossierLine]


_VERSION = "algorithms/{owner}/{name}/versions/{version}"
_TO_VERSION = {
    "get_version": "owner=owner,name=name,version=version",
    "get_schema": "owner=owner,name=name,version=version",
    "get_maturity": "owner=owner,name=name,version=version",
    "yank_version": "owner=owner,name=name,version=version",
}

DOORS = {
    "GET health": Door(id="health", answer=Health, open=True),
    "GET ": Door(id="about", answer=About),
    "GET environments": Door(id="list_environments", answer=Environments),
    "POST validate": Door(id="validate_notebook", answer=Validation),
    "POST algorithms": Door(
        id="publish_version",
        answer=Published,
        also={200: "The same content was published before."},
        refusals=(409,),
        leads=_TO_VERSION,
    ),
    "GET algorithms": Door(id="search_algorithms", answer=Search),
    "GET algorithms/{owner}/{name}": Door(id="get_algorithm", answer=WholeAlgorithm),
    f"GET {_VERSION}": Door(id="get_version", answer=Version),
    f"GET {_VERSION}/notebook": Door(id="get_notebook", answer="application/x-ipynb+json"),
    f"GET {_VERSION}/schema": Door(id="get_schema", answer={"type": "object", "title": "A JSON Schema"}),
    f"POST {_VERSION}/yank": Door(id="yank_version", answer=Version),
    f"PUT {_VERSION}/dossier": Door(
        id="put_dossier", answer=Dossier, also={200: "The latest dossier is the same."}, refusals=(400, 409)
    ),
    f"GET {_VERSION}/dossier": Door(id="get_dossier", answer=DossierHistory),
    f"GET {_VERSION}/dossier/files/{{path}}": Door(id="get_dossier_file", answer="*/*"),
    "GET algorithms/{owner}/{name}/price": Door(id="get_price", answer=PriceBook),
    "PUT algorithms/{owner}/{name}/price": Door(id="set_price", answer=PriceBook, refusals=(409,)),
}
