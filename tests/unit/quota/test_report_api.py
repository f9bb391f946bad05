"""The reports over HTTP, and the pages: shapes, escapes, headers, and who may see what."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from swath_quota import services
from swath_quota.api import pages
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.domain.limit_lines import LimitLine, LimitReport
from swath_quota.domain.limits import LimitState, Origin, Standing, Window
from swath_quota.services import Desk
from swath_quota.services.limit_lines import report_of
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope

OPERATOR = Actor(name="op", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
EVIL = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>"
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BASE = "/services/quota/"
MEMBERS = {"title", "version", "user", "links"}


@dataclass
class Clock:
    now: datetime = datetime(2026, 5, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Identities:
    async def actor_for(self, token: str) -> Actor | None:
        more = {"root": {Scope.ADMINISTER}, "overseer": {Scope.OVERSEE}}.get(token, set())
        scopes = {Scope.READ, *more}
        return None if token == "nobody" else Actor(name=token, scopes=frozenset(scopes))


def spend(desk: Desk, name: str, *, amount: int = 5000, description: str = "ada/echo@1.0.0", end: bool = True) -> None:
    purpose = Purpose(kind=PurposeKind.RUN, reference=name, description=description, algorithm="ada/echo")
    services.hold(OPERATOR, desk, hold_id=name, account="ada", amount=amount, purpose=purpose, expires_in_seconds=10**5)
    if end:
        used = {"cpu_seconds": 3600.0, "memory_mb_seconds": 0.0}
        services.capture(OPERATOR, desk, hold_id=name, amount=min(amount, 3500), usage=used)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Desk:
    made = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices(), clock=clock)
    services.wallet(OPERATOR, made, account="ada")
    spend(made, "h1")
    spend(made, "h2", description=EVIL)
    spend(made, "h3", end=False, description=EVIL)
    services.grant(OPERATOR, made, grant_id="g1", account="ada", amount=7000, description=EVIL)
    return made


@pytest.fixture
def http(desk: Desk) -> TestClient:
    app = make_app(desk=desk, identity=Identities(), prefix=BASE)
    return TestClient(app, base_url=f"http://quota{BASE}", headers={"Authorization": "Bearer ada"})


def get(http: TestClient, path: str, *, who: str = "ada", status: int = 200, **query: Any) -> Any:
    answer = http.get(path, params=query, headers={"Authorization": f"Bearer {who}"})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_wallet_keeps_its_members_and_gains_some(http: TestClient) -> None:
    told = get(http, "wallet")
    assert {"account", "tier", "balance", "held", "available", "entries"} <= set(told)
    assert told["held"] == 5000
    assert [hold["id"] for hold in told["holds"]] == ["h3"]
    assert {grant["remaining"] for grant in told["grants"]} == {7000, 10_000_000 - 7000}
    assert told["forecast"]["outlook"] == "lasts"
    assert told["forecast"]["renews_at"] == "2026-06-01T00:00:00Z"


def test_reports_have_their_shapes(http: TestClient) -> None:
    balance = get(http, "wallet/balance", **{"from": "2026-05-19", "to": "2026-05-21"})
    assert [day["closing"] for day in balance["days"]] == [0, 10_000_000]
    spending = get(http, "wallet/spending", by="algorithm")
    assert spending["spending"] == [{"name": "ada/echo", "charged": 7000, "refunded": 0, "count": 2}]
    assert (spending["net"], spending["first"], spending["last"]) == (7000, "2026-04-21", "2026-05-20")
    assert [hold["id"] for hold in get(http, "wallet/holds")["holds"]] == ["h3"]
    assert len(get(http, "wallet/grants")["grants"]) == 2
    first = get(http, "wallet/charges", limit=1)
    second = get(http, "wallet/charges", limit=1, cursor=first["next"])
    assert [page["charges"][0]["id"] for page in (first, second)] == ["h2", "h1"]
    assert second["next"] is None
    assert second["charges"][0]["explanation"]["text"] == "1 CPU-h × 1.5 + 0 GB-h × 1 + 2 per run = 3.5"  # noqa: RUF001
    statement = get(http, "wallet/statements/2026-05")
    assert (statement["adds_up"], statement["closing"]) == (True, 10_000_000)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("wallet/balance?from=x", "from"),
        ("wallet/balance?from=2026-05-02&to=2026-05-01", "from"),
        ("wallet/spending?by=colour", "by"),
        ("wallet/charges?limit=0", "limit"),
        ("wallet/charges?limit=201", "limit"),
        ("wallet/charges?cursor=x", "cursor"),
        ("wallet/charges?color=x", "color"),
        ("wallet/statements/2026-06", "month"),
        ("wallet/statements/2026-13", "month"),
        ("wallet/statements/2026-05?format=pdf", "format"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(http: TestClient, path: str, field: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 422
    assert any(finding["field"].endswith(field) for finding in answer.json()["findings"])


def test_everything_is_documented(http: TestClient) -> None:
    paths = get(http, "openapi.json")["paths"]
    for path in ("spending", "holds", "grants", "balance", "charges", "charges.csv", "statements/{month}"):
        told = paths[f"{BASE}wallet/{path}"]["get"]
        assert told["summary"]
        content = told["responses"]["200"]["content"]
        if "application/json" in content:
            assert content["application/json"]["schema"], path
        else:
            assert "text/csv" in content
    assert f"{BASE}charges" not in paths, "pages are not part of the API"


PATHS = ["wallet/spending", "wallet/holds", "wallet/grants", "wallet/balance", "wallet/charges", "wallet/charges.csv"]


@pytest.mark.parametrize("path", [*PATHS, "wallet/entries.csv", "wallet/statements/2026-05", "charges", ""])
def test_nobody_sees_anothers(http: TestClient, path: str) -> None:
    for headers in ({}, HTML):
        asked = {"account": "ada"}
        bob = http.get(path, params=asked, headers={**headers, "Authorization": "Bearer bob"})
        if path or headers:
            assert bob.status_code == 403, bob.text
        assert "alert" not in bob.text
        for who in ("root", "overseer"):
            told = http.get(path, params=asked, headers={**headers, "Authorization": f"Bearer {who}"})
            assert told.status_code == 200
        unknown = http.get(path, headers={**headers, "Authorization": "Bearer nobody"})
        assert unknown.status_code == 401


def test_tables_are_csv_and_compute_nothing(http: TestClient, desk: Desk) -> None:
    spend(desk, "h4", description="=cmd|' /C calc'!A0")
    answer = http.get("wallet/charges.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'attachment; filename="swath-charges.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [line["hold_id"] for line in lines] == ["h4", "h2", "h1"]
    assert lines[0]["description"] == "'=cmd|' /C calc'!A0"
    entries = list(csv.DictReader(io.StringIO(http.get("wallet/entries.csv").text, newline="")))
    assert [line["kind"] for line in entries] == ["allowance", "capture", "capture", "grant", "capture"]
    assert (
        sum(int(line["credits"].replace(".", "")) for line in entries)
        == services.wallet(OPERATOR, desk, account="ada").balance
    )
    month = list(csv.reader(io.StringIO(http.get("wallet/statements/2026-05?format=csv").text, newline="")))
    assert [line[2] for line in (month[1], month[-1])] == ["opening", "closing"]


def test_the_first_page_is_json_to_programs_and_html_to_browsers(http: TestClient) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        answer = http.get("", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == MEMBERS
    assert http.get("", headers=HTML).headers["content-type"].startswith("text/html")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input", "rect", "line", "path", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"rect", "line", "path"}:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


PAGES = ["", "?days=7", "?days=365", "charges", "wallet/statements/2026-05"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_nothing_and_loads_nothing_from_elsewhere(http: TestClient, path: str) -> None:
    answer = http.get(path, headers=HTML)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert (page.faults, page.open) == ([], [])
    assert EVIL not in answer.text
    assert "<img" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert not page.of("script")
    assert not page.of("style")
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in {"href", "src", "action"}:
                assert (value or "").startswith(("/", "#", "data:,")), value
                assert not (value or "").startswith("//")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_walked_by_ear(http: TestClient, path: str) -> None:
    page = Page(http.get(path, headers=HTML).text)
    assert page.of("html")[0]["lang"] == "en"
    assert [len(page.of(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1 + ("statements" in path), 1, 1]
    assert page.of("a")[0] == {"class": "skip", "href": "#main"}
    assert len(page.of("caption")) == len(page.of("table")) > 0
    assert all(cell.get("scope") in {"row", "col"} for cell in page.of("th"))
    names = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    for _, attributes in page.tags:
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in names
    for picture in page.of("svg"):
        assert picture.get("aria-hidden") == "true" or picture.get("aria-labelledby"), picture
    for navigation in page.of("nav"):
        assert navigation.get("aria-label")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_an_operator_looks_at_anybodys_and_is_told_whose(http: TestClient) -> None:
    text = http.get("?account=ada", headers={**HTML, "Authorization": "Bearer root"}).text
    assert "This is the wallet of <strong>ada</strong>" in text
    assert 'href="/services/quota/charges?account=ada"' in text
    assert 'name="account"' in text
    assert 'name="account"' not in http.get("", headers=HTML).text
    missing = http.get("?account=<b>x</b>", headers={**HTML, "Authorization": "Bearer root"})
    assert missing.status_code == 404
    assert "<b>x" not in missing.text
    assert "no-such-wallet" in missing.text


def test_who_oversees_changes_nothing(http: TestClient, desk: Desk) -> None:
    before = services.wallet(OPERATOR, desk, account="ada").balance
    given = {"grant_id": "g9", "account": "ada", "amount": 1000, "description": "no"}
    for method, path, body in [
        ("POST", "grants", given),
        ("PUT", "wallet/tier", {"account": "ada", "tier": "services"}),
    ]:
        assert http.request(method, path, json=body, headers={"Authorization": "Bearer overseer"}).status_code == 403
    assert http.get("?account=nobody", headers={**HTML, "Authorization": "Bearer overseer"}).status_code == 404
    assert services.wallet(OPERATOR, desk, account="ada").balance == before


def test_limits_are_shown_as_they_stand(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "limit_report", lambda *_, **__: LimitReport())
    assert 'id="limits"' not in http.get("", headers=HTML).text
    line = LimitLine(
        name="runs.concurrent", unit="run", used=2, limit=2, resets_at=datetime(2026, 6, 1, tzinfo=UTC), is_own=True
    )
    told = LimitReport(degraded=("most of the month's <b>credits</b> are spent",), lines=(line,))
    monkeypatch.setattr(pages, "limit_report", lambda *_, **__: told)
    text = http.get("", headers=HTML).text
    assert "2 of 2 runs" in text
    assert '<li class="full">' in text
    assert "1 Jun 2026, 00:00" in text
    assert "set for you by an operator" in text
    assert "&lt;b&gt;credits" in text


def _state(name: str, *, used: int, hard: int | None, origin: Origin = Origin.TIER) -> LimitState:
    return LimitState(
        name=name,
        window=Window.CONTINUOUS,
        unit="run",
        soft=None,
        hard=hard,
        used=used,
        left=None,
        resets_at=None,
        next_fit_at=None,
        degraded=False,
        origin=origin,
    )


def test_limits_are_lined_up_from_the_standing() -> None:
    limits = (
        _state("runs.concurrent", used=1, hard=4, origin=Origin.OVERRIDE),
        _state("transfer.rate", used=0, hard=None),
        _state("dask.cores", used=3, hard=None),
    )
    told = report_of(Standing(account="ada", tier="local", weight=1.0, degraded=("slow",), limits=limits))
    assert told.degraded == ("slow",)
    assert [(line.name, line.limit, line.is_own) for line in told.lines] == [
        ("runs.concurrent", 4, True),
        ("dask.cores", None, False),
    ]


def test_the_wallets_own_limits_are_there(http: TestClient) -> None:
    text = http.get("", headers=HTML).text
    assert "Runs at a time" in text
    assert "Requests a minute" in text


def test_an_empty_wallet_has_a_page_too(http: TestClient) -> None:
    for path in ("", "charges", "wallet/statements/2026-05"):
        answer = http.get(path, headers={**HTML, "Authorization": "Bearer newcomer"})
        assert answer.status_code == 200
        assert (Page(answer.text).faults, Page(answer.text).open) == ([], [])
    assert "there is no rate" in http.get("", headers={**HTML, "Authorization": "Bearer newcomer"}).text


def test_a_statement_can_be_kept_as_a_file(http: TestClient) -> None:
    answer = http.get("wallet/statements/2026-05?format=html&standalone=true")
    page = Page(answer.text)
    assert len(page.of("style")) == 1
    assert not page.of("link")
    assert not page.of("a") or all((link["href"] or "").startswith("#") for link in page.of("a"))
    assert "'sha256-" in answer.headers["content-security-policy"]
    assert "add up to the closing balance" in answer.text


def test_the_style_sheet_may_be_kept_and_its_address_changes_with_it(http: TestClient) -> None:
    link = Page(http.get("", headers=HTML).text).of("link")[0]["href"]
    assert link is not None
    answer = http.get(f"http://quota{link}", headers={"Authorization": ""})
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "url(" not in answer.text
    assert "@import" not in answer.text


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_read_in_light_and_in_dark(http: TestClient) -> None:
    """WCAG 2.2, 1.4.3: text 4.5 to 1; 1.4.11: what shows a state 3 to 1."""
    text = http.get("static/quota.css").text
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in text.split("@media", 2)[:2])
    for colours in (light, {**light, **dark}):
        for ink in ("ink", "soft", "accent", "warn", "bad", "run", "lab", "dask"):
            for ground in ("card", "page"):
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert _contrast(colours["ink"], colours["accent-soft"]) >= 4.5
        assert _contrast(colours["card"], colours["accent"]) >= 4.5
        assert _contrast(colours["accent"], colours["accent-soft"]) >= 4.5
        assert _contrast(colours["focus"], colours["card"]) >= 3
