"""From the form to the results in a real browser: draw, see the price, run once, watch, share; nobody's words run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import make_world, write_environment

pytestmark = pytest.mark.e2e

FORM = "algorithms/ada/everything/versions/1.0.0/run"
AXE = Path(__file__).parents[2] / "marketplace" / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def pages(load: Any) -> Any:
    return load("pages_stack")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pages: Any) -> Iterator[Any]:
    data: Path = tmp_path_factory.mktemp("pages")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=pages.bringing)
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    world.registry.publish(world.identity.actors["ada"], pages.everything(), version="1.0.0")
    with pages.serving(world) as made:
        yield made
    world.made.database.dispose()


@pytest.fixture(scope="module")
def run_id(stack: Any) -> str:
    asked = RunRequest(algorithm="ada/everything@1.0.0", parameters={})
    run, _ = stack.world.runs.create(stack.world.identity.actors["ada"], asked)
    return str(stack.world.look_until(run.id).id)


@pytest.fixture
def visit(chromium: Any, stack: Any) -> Iterator[Any]:
    """Opens a page in a browser of its own, and looks afterwards whether anything of somebody's ran."""
    opened: list[tuple[Any, list[str]]] = []

    def go(path: str, *, who: str = "ada", width: int = 1280, scheme: str = "light") -> Any:
        stack.who = who
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page, odd = context.new_page(), []
        page.on("dialog", lambda dialog: (odd.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: odd.append(f"error: {error}"))
        page.on("request", lambda asked: odd.append(asked.url) if _elsewhere(asked.url, stack.url) else None)
        page.goto(stack.at(path))
        opened.append((page, odd))
        return page

    yield go
    for page, odd in opened:
        assert not odd, odd
        assert page.evaluate("String(globalThis.owned)") == "undefined"
        page.context.close()
    assert not stack.asked, stack.asked


def _elsewhere(url: str, ours: str) -> bool:
    return not url.startswith((f"{ours}/services/", f"{ours}/hub/", "blob:", "data:"))


def until(page: Any, so: str) -> None:
    """Waits for what a script sees; `wait_for_function` would need an eval, which these pages refuse."""
    for _ in range(150):
        if page.evaluate(so):
            return
        page.wait_for_timeout(100)
    raise AssertionError(so)


def seen(page: Any) -> Any:
    """The page with all of its results looked at."""
    for place in page.locator("[data-href]").all():
        place.scroll_into_view_if_needed()
    until(page, "!document.querySelector('[aria-busy]') && document.querySelectorAll('.map').length >= 3")
    return page


def accessible(page: Any) -> None:
    """Nothing serious or critical that axe finds."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "async () => (await axe.run({ resultTypes: ['violations'] })).violations"
        ".filter((one) => ['serious', 'critical'].includes(one.impact))"
        ".map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target).join(' | ')}`)"
    )
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_draw_a_box_see_the_price_run_once_and_watch(stack: Any, visit: Any, pages: Any) -> None:
    page = visit(FORM)
    page.wait_for_selector("#quote .price")
    area = page.locator('[data-field="area"]')
    area.get_by_role("button", name="Draw a box").click()
    spot = area.locator(".map").bounding_box()
    page.mouse.click(spot["x"] + spot["width"] * 0.3, spot["y"] + spot["height"] * 0.3)
    page.mouse.move(spot["x"] + spot["width"] * 0.5, spot["y"] + spot["height"] * 0.5, steps=4)
    with page.expect_response(lambda answer: answer.url.endswith("/quotes")) as priced:
        page.mouse.click(spot["x"] + spot["width"] * 0.6, spot["y"] + spot["height"] * 0.7)
    drawn = priced.value.request.post_data_json["parameters"]["area"]
    assert drawn["west"] < drawn["east"]
    assert drawn["south"] < drawn["north"]
    assert page.input_value('[data-field="area"] [data-part="west"]') == str(drawn["west"])

    # What is wrong stands at its field, in the service's own words.
    page.fill('[data-field="month"] input', "13")
    page.wait_for_selector('[data-field="month"] .wrong:not([hidden])')
    assert page.get_attribute('[data-field="month"] input', "aria-invalid") == "true"
    page.click("#start")
    page.wait_for_selector("#refused .notice")
    assert page.evaluate("document.activeElement.closest('[data-field]').dataset.field") == "month"
    page.fill('[data-field="month"] input', "12")
    page.wait_for_selector('[data-field="month"] .wrong', state="hidden")

    stack.world.fake.hold_back = True
    before = stack.world.runs.list(stack.world.identity.actors["ada"], limit=200, offset=0)[1]
    page.locator("#start").dblclick()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f]+$"))
    run_id = page.url.rpartition("/")[2]
    assert stack.world.runs.list(stack.world.identity.actors["ada"], limit=200, offset=0)[1] == before + 1
    assert stack.world.run(run_id).parameters["area"] == drawn
    page.wait_for_selector("#status .running")
    until(page, "document.getElementById('log').textContent.includes('line 8')")
    until(page, "document.getElementById('doing').textContent === '40 %: Reading scenes'")
    accessible(page)
    folder = stack.world.made.folders.of(run_id)
    pages.say(folder, 30, "log", stream="stdout", text="one more line\n", cell=2)
    until(page, "document.getElementById('log').textContent.includes('one more line')")
    stack.world.fake.hold_back = False
    stack.world.fake.let_end(run_id)
    page.wait_for_selector('[data-href*="/results/frequency"] canvas')
    assert page.inner_text("#status") == "finished"
    assert "verified" in page.inner_text("#receipt")


def test_a_run_can_be_canceled_and_made_again_with_changes(stack: Any, visit: Any) -> None:
    stack.world.fake.hold_back = True
    asked = RunRequest(algorithm="ada/everything@1.0.0", parameters={"text": "mine", "maybe": 4, "texts": ["x"]})
    run, _ = stack.world.runs.create(stack.world.identity.actors["ada"], asked)
    page = visit(f"runs/{run.id}")
    page.click("#cancel")
    page.wait_for_selector("#status .canceled")
    stack.world.fake.hold_back = False
    page.wait_for_load_state()
    page.get_by_role("link", name="Run again with changes").click()
    page.wait_for_selector("#quote .price")
    assert page.input_value("#p-text") == "mine"
    assert page.input_value("#p-maybe") == "4"
    assert page.input_value("#p-texts").strip() == "x"
    # What the form reads is what the run had, in every kind.
    with page.expect_response(lambda answer: answer.url.endswith("/quotes")) as priced:
        page.fill("#p-text", "mine still")
    sent = priced.value.request.post_data_json["parameters"]
    assert sent == {**stack.world.run(run.id).parameters, "text": "mine still"}


def test_typed_answers_of_every_kind(visit: Any) -> None:
    page = visit(FORM)
    page.fill("#p-integer", "9007199254740993")
    page.fill("#p-numbers", "1\n2.5\n")
    page.fill("#p-maybe", "")
    page.uncheck("#p-flag")
    page.select_option("#p-choice", '"blue"')
    page.check('[data-field="period"] [data-part="timed"]')
    page.fill('[data-field="period"] [data-part="1"]', "2023-06-01T12:30")
    page.fill('[data-field="area"] [data-part="west"]', "1")
    shape = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    content = str(shape).replace("'", '"').encode()
    with page.expect_response(lambda answer: answer.url.endswith("/quotes")) as priced:
        page.set_input_files(
            'input[type="file"]', {"name": "a.geojson", "mimeType": "application/geo+json", "buffer": content}
        )
        until(page, "document.querySelector('[data-part=text]').value.includes('Polygon')")
    assert '"integer":9007199254740993,' in priced.value.request.post_data
    sent = priced.value.request.post_data_json["parameters"]
    assert sent["numbers"] == [1, 2.5]
    assert (sent["maybe"], sent["flag"], sent["choice"]) == (None, False, "blue")
    assert sent["period"] == ["2023-04-01T00:00:00Z", "2023-06-01T12:30:00Z"]
    assert sent["area"] == {"west": 1, "south": 51, "east": 5.1, "north": 51.1}
    assert sent["shape"] == shape
    assert page.locator(".wrong:visible").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_pages_are_accessible_wide_and_narrow(visit: Any, run_id: str, width: int, scheme: str) -> None:
    form = visit(FORM, width=width, scheme=scheme)
    form.wait_for_selector("#quote .price")
    form.wait_for_selector('[data-field="shape"] .map canvas')
    accessible(form)
    form.click("#share")
    accessible(form)
    run = seen(visit(f"runs/{run_id}", width=width, scheme=scheme))
    accessible(run)
    accessible(visit("runs", width=width, scheme=scheme))


def test_what_users_wrote_is_words(visit: Any, pages: Any, run_id: str) -> None:
    page = seen(visit(f"runs/{run_id}"))
    for summary in page.locator(".result summary").all():
        summary.click()
    frame = page.wait_for_selector("iframe")
    assert frame.get_attribute("sandbox") == ""
    inside = frame.content_frame()
    inside.wait_for_selector("h1")
    inside.click("#link")
    inside.click("button", no_wait_after=True)
    page.wait_for_timeout(300)
    assert page.inner_text("#log").count("<script>") >= 2
    shapes = page.locator('[data-href*="/results/shapes"] td')
    assert pages.NASTY[0] in shapes.all_inner_texts()
    assert pages.NASTY[1] in page.locator('[data-href*="/results/shapes"] th').all_inner_texts()
    # Nothing that stands in the page's own tree came from them.
    assert page.locator("main script, main iframe[srcdoc], main [onerror], main [onload], main link").count() == 0


def test_a_link_lets_somebody_else_look_and_can_be_taken_back(visit: Any, stack: Any, run_id: str) -> None:
    page = visit(f"runs/{run_id}")
    page.click("#share")
    page.click("#share-make")
    page.wait_for_selector("#share-made:not([hidden])")
    link = page.input_value("#share-link")
    assert link.startswith(stack.at("shared/"))
    path = link.removeprefix(stack.at(""))
    other = seen(visit(path, who="bob"))
    assert "ada shared this run with you" in other.inner_text("main")
    assert "verified" in other.inner_text("#receipt")
    assert other.locator("#cancel, #share, form[action*=reproduce]").count() == 0
    accessible(other)
    page.get_by_role("button", name="Take back").click()
    until(page, "!document.querySelector('#share-list li')")
    other.reload()
    assert "this link opens nothing" in other.inner_text("main").lower()
