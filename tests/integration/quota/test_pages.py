"""The wallet's pages in a browser: wide and narrow, light and dark, by keyboard, and on paper."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from swath_quota import services
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.services import Desk
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope

pytestmark = pytest.mark.integration
SERVICE = Actor(name="op", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
LONG = "an-author-with-a-very-long-name/an-algorithm-whose-name-is-even-longer-than-that"
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
PAGES = ["", "?days=90", "charges", "wallet/statements/2026-05?format=html"]
SIZES = [(1200, 900), (390, 844)]


class Identities:
    async def actor_for(self, token: str) -> Actor | None:
        return Actor(name=token, scopes=frozenset({Scope.READ}))


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A wallet with seventy charges, served."""
    now = datetime(2026, 5, 2, 8, tzinfo=UTC)
    desk = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices(), clock=lambda: now)
    services.wallet(SERVICE, desk, account="ada")
    for number in range(70):
        now += timedelta(hours=5)
        description = {0: EVIL, 1: LONG}.get(number % 9, "ada/echo@1.0.0")
        purpose = Purpose(
            kind=list(PurposeKind)[number % 3], reference=f"r{number}", description=description, algorithm=LONG
        )
        services.hold(
            SERVICE,
            desk,
            hold_id=f"h{number}",
            account="ada",
            amount=90_000,
            purpose=purpose,
            expires_in_seconds=10**5,
        )
        if number < 68:
            used = {"cpu_seconds": 3600.0 * number, "memory_mb_seconds": 1e7}
            services.capture(SERVICE, desk, hold_id=f"h{number}", amount=1000 * number, usage=used)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = make_app(desk=desk, identity=Identities(), prefix="/services/quota/")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/quota/"
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.fail("there is no Chromium for the tests to drive: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def opened(chromium: Browser, url: str, *, size: tuple[int, int] = SIZES[0], scheme: Any = "light") -> Page:
    """The page, and what its browser complained about in `complaints`."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        extra_http_headers={"Authorization": "Bearer ada"},
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == 200
    assert complaints == []
    return page


#: Every piece of text with its colour and the first ground behind it, as the browser computed them.
_TEXTS = """
() => {
  const seen = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({visibilityProperty: true})) continue;
    let ground = element, colour = 'rgba(0, 0, 0, 0)';
    while (ground && colour === 'rgba(0, 0, 0, 0)') {
      colour = getComputedStyle(ground).backgroundColor; ground = ground.parentElement;
    }
    const style = getComputedStyle(element);
    seen.push([node.data.trim().slice(0, 40), style.color, colour, parseFloat(style.fontSize)]);
  }
  return seen;
}
"""


def _luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_and_can_be_read(
    chromium: Browser, base: str, path: str, size: tuple[int, int], scheme: str
) -> None:
    page = opened(chromium, base + path, size=size, scheme=scheme)
    assert page.title() != "owned"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    texts = page.evaluate(_TEXTS)
    assert len(texts) > 20
    for text, ink, ground, _ in texts:
        low, high = sorted((_luminance(ink), _luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ink, ground)
    assert min(size for *_, size in texts) >= 12
    dark = _luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.1
    assert dark == (scheme == "dark")
    page.context.close()


def test_the_keyboard_reaches_everything_and_is_seen_to(chromium: Browser, base: str) -> None:
    page = opened(chromium, base)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 30)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid" or page.evaluate("document.activeElement === document.body")
    assert {"30 days", "The same as a table", "All charges", "Charges, one a line"} <= reached
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.is_visible("text=Each day’s balance, in credits")  # noqa: RUF001
    page.context.close()


def test_charges_are_walked_page_by_page(chromium: Browser, base: str) -> None:
    page = opened(chromium, base)
    page.click("text=All charges")
    assert page.locator("table.charges tbody tr").count() == 50
    page.click("text=Older charges")
    assert page.locator("table.charges tbody tr").count() == 18
    assert page.locator("text=Older charges").count() == 0
    page.context.close()


def test_the_chart_has_a_text_in_its_place(chromium: Browser, base: str) -> None:
    page = opened(chromium, base)
    told = page.locator("svg.balance desc").text_content()
    assert told is not None
    assert told.startswith("Balance from 2026-")
    assert "Most was spent on" in told
    assert page.get_by_role("img", name="Balance over time").count() == 1
    page.context.close()


def test_a_statement_is_a4_with_its_heads_repeated(chromium: Browser, base: str) -> None:
    page = opened(chromium, f"{base}wallet/statements/2026-05?format=html")
    paper = page.pdf(prefer_css_page_size=True, tagged=True)
    assert paper.startswith(b"%PDF-")
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", paper)
    assert len(boxes) >= 2
    assert {(round(float(width)), round(float(height))) for width, height in boxes} <= {(595, 842), (596, 842)}
    page.emulate_media(media="print")
    assert not page.is_visible("header.top")
    assert not page.is_visible("footer")
    assert page.is_visible("text=add up to the closing balance")
    shown = page.evaluate("getComputedStyle(document.querySelector('.lines thead')).display")
    assert shown == "table-header-group"
    assert page.evaluate("getComputedStyle(document.querySelector('.lines tbody tr')).breakInside") == "avoid"
    page.context.close()
