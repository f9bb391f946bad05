"""Doors by which people judge: cards, citations, favourites, other platforms' entries, reports, dashboards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.algorithms import Version
from swath_marketplace.api.openapi.door import Door, Word, page_of
from swath_marketplace.api.openapi.maturity import Result
from swath_marketplace.api.openapi.trust import Act
from swath_marketplace.domain.maturity import MaturityLevel


class Evidence(Word):
    """Why a version has its level."""

    level: MaturityLevel
    message: str
    expires_at: datetime | None
    met: list[Result]
    missing: list[Result]
    next_level: MaturityLevel | None


class CardPrice(Word):
    """What a run costs."""

    added_value: dict[str, Any] | None
    quote: dict[str, Any] | None
    why_no_quote: str | None


class Card(Word):
    """Everything by which somebody judges an algorithm."""

    algorithm: str
    version: Version
    runs_count: int
    readme: dict[str, str]
    interface: dict[str, Any]
    example: dict[str, Any] | None
    versions: list[dict[str, Any]]
    """With what changed from one to the next."""
    evidence: Evidence
    price: CardPrice
    statistics: dict[str, Any]
    reviews: list[dict[str, Any]]
    cite: dict[str, str]
    favourite: bool
    follows: bool
    links: dict[str, str]


class Kept(Word):
    """An algorithm in a user's list."""

    algorithm: str
    since: datetime
    links: dict[str, str]


class Favourites(Word):
    """What the caller keeps at hand, and follows."""

    favourites: list[Kept]
    follows: list[Kept]


class Choice(Word):
    """Whether something was chosen."""

    algorithm: str
    chosen: bool
    since: datetime | None


class ExternalEntry(Word):
    """Another platform's record of an algorithm."""

    title: str
    external: bool
    runnable_here: bool
    links: list[dict[str, Any]]
    record_sha256: str
    imported_at: datetime
    href: str


class Report(Word):
    """What somebody reported, and what became of it."""

    id: str
    kind: str
    algorithm: str
    version: str | None
    digest: str | None
    review: int | None
    text: str
    reporter: str | None
    at: datetime
    state: str
    answer: str | None
    answered_at: datetime | None
    acts: list[Act]


class Dashboard(Word):
    """How an author's algorithms are used."""

    author: str
    since: datetime
    until: datetime
    algorithms: list[dict[str, Any]]
    reports: list[Report]
    open_reports: int
    acts: list[Act]


class Read(Word):
    """How many were read now."""

    read: int


_VERSION = "algorithms/{owner}/{name}/versions/{version}"
_REVIEW = f"{_VERSION}/reviews/{{review}}"
_PARTS = {206: "Parts of it.", 304: "Had."}

DOORS = {
    "GET algorithms/{owner}/{name}/card": Door(id="get_card", answer=Card),
    f"GET {_VERSION}/example/{{output}}": Door(id="get_example_output", answer="*/*", also=_PARTS, refusals=(410, 416)),
    f"HEAD {_VERSION}/example/{{output}}": Door(
        id="head_example_output", answer="*/*", also={304: "Had."}, refusals=(410,)
    ),
    f"GET {_VERSION}/CITATION.cff": Door(id="get_citation", answer="*/*"),
    f"GET {_VERSION}/citation.bib": Door(id="get_bibtex", answer="*/*"),
    f"GET {_VERSION}/datacite.json": Door(id="get_datacite", answer={"type": "object", "title": "DataCite metadata"}),
    "GET dashboard": Door(id="get_dashboard", answer=Dashboard, refusals=(404,)),
    "GET operator": Door(id="get_operators_dashboard", answer={"type": "object", "title": "The whole at a glance"}),
    "GET external": Door(
        id="list_external", answer={"type": "object", "title": "Entries of other platforms"}, refusals=(404,)
    ),
    "GET external/{source}/{record_id}": Door(id="get_external", answer=ExternalEntry),
    "GET favourites": Door(id="list_favourites", answer=Favourites),
    "GET favourites/{owner}/{name}": Door(id="get_favourite", answer=Choice),
    "PUT favourites/{owner}/{name}": Door(id="add_favourite", answer=Choice),
    "DELETE favourites/{owner}/{name}": Door(id="remove_favourite", answer=Choice),
    "GET follows/{owner}/{name}": Door(id="get_follow", answer=Choice),
    "PUT follows/{owner}/{name}": Door(id="follow_algorithm", answer=Choice),
    "DELETE follows/{owner}/{name}": Door(id="unfollow_algorithm", answer=Choice),
    "POST notices/read": Door(id="read_notices", answer=Read),
    "POST reports": Door(id="report", answer=Report, refusals=(404, 409), leads={"get_report": "report_id=id"}),
    "GET reports": Door(id="list_reports", answer=page_of("Reports", "reports", Report)),
    "GET reports/{report_id}": Door(id="get_report", answer=Report),
    "POST reports/{report_id}/answer": Door(id="answer_report", answer=Report),
    f"POST {_REVIEW}/replies": Door(id="reply_to_review", answer={"type": "object", "title": "A reply"}),
    f"POST {_REVIEW}/withhold": Door(id="withhold_review"),
}
