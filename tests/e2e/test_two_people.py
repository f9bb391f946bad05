"""Two people at the marketplace in a real browser: found, read, run over a drawn box, proved, compared, reviewed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.testing import notebook

pytestmark = pytest.mark.e2e

PLACE = "services/marketplace"
AXE = Path(__file__).parents[2] / "marketplace" / "web" / "node_modules" / "axe-core" / "axe.min.js"
AREA = "import swath\nfrom swath import BBox\n"
BODY = """
import geopandas
from shapely.geometry import box

print('outlining')
corners = box(where['west'], where['south'], where['east'], where['north'])
swath.emit('outline', geopandas.GeoDataFrame({'label': [label]}, geometry=[corners], crs='EPSG:4326'))
"""
PARAMETERS = "# The area\nwhere: BBox\n# What it is called\nlabel: str = 'field'"


@pytest.fixture(scope="module")
def author(copy: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pia's token; she has published two versions of `outline`."""
    token: str = copy.person("pia").token("e2e")
    for version, more in (("1.0.0", ""), ("1.1.0", "\n# How wide the margin is, in degrees\nmargin: float = 0.0")):
        made = notebook(BODY, parameters=PARAMETERS + more, name="outline", title="Outline of an area", version=version)
        made["cells"].insert(0, {**made["cells"][0], "id": "imports", "source": AREA, "metadata": {}})
        path = tmp_path_factory.mktemp("outline") / f"{version}.ipynb"
        path.write_text(json.dumps(made))
        copy.as_user(token, "publish", str(path))
    return token


def enter(visitor: Callable[[], Any], copy: Any, name: str) -> Any:
    person = visitor()
    person.goto(f"{PLACE}/")
    person.sign_in(name, copy.passcode(name))
    assert person.page.url == f"{copy.url}{PLACE}/"
    return person


def accessible(page: Any) -> None:
    """Nothing that axe calls serious or critical, and no sideways scrolling.

    axe looks at a copy of the page: the page's own policy lets no script in.
    """
    other = page.context.new_page()
    other.set_content(page.content())
    other.add_style_tag(content=page.request.get(page.eval_on_selector("link[rel=stylesheet]", "it => it.href")).text())
    other.add_script_tag(path=AXE)
    found = other.evaluate(
        "async () => (await axe.run({ resultTypes: ['violations'] })).violations"
        ".filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html}`)"
    )
    other.close()
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def draw(page: Any) -> None:
    area = page.locator('[data-field="where"]')
    area.get_by_role("button", name="Draw a box").click()
    spot = area.locator(".map").bounding_box()
    page.mouse.click(spot["x"] + spot["width"] * 0.4, spot["y"] + spot["height"] * 0.3)
    page.mouse.move(spot["x"] + spot["width"] * 0.5, spot["y"] + spot["height"] * 0.4, steps=4)
    page.mouse.click(spot["x"] + spot["width"] * 0.55, spot["y"] + spot["height"] * 0.5)


def test_found_read_run_proved_compared_and_reviewed(visitor: Callable[[], Any], copy: Any, author: str) -> None:
    rui = enter(visitor, copy, "rui")
    page = rui.page
    page.get_by_role("searchbox").fill("outline area")
    page.get_by_role("button", name="Search").click()
    accessible(page)
    page.get_by_role("link", name="Outline of an area").first.click()
    page.wait_for_selector("h1")
    accessible(page)

    page.get_by_role("link", name="Run it").first.click()
    page.wait_for_selector('[data-field="where"] .map canvas')
    draw(page)
    page.wait_for_selector("#quote .price")
    accessible(page)
    page.click("#start")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f]+$"))
    page.wait_for_selector("#status .finished, #status .error", timeout=90_000)
    assert page.inner_text("#status") == "finished", page.inner_text("main")
    page.wait_for_selector('[data-href*="/results/outline"] canvas')
    assert "verified" in page.inner_text("#receipt")
    assert "outlining" in page.inner_text("#log")
    accessible(page)
    rui.picture("run-of-outline")
    run = page.url.rpartition("/")[2]
    where = copy.get(f"{PLACE}/runs/{run}", copy.person("rui").token("look")).json()["parameters"]["where"]
    assert where["west"] < where["east"]

    rui.goto(f"{PLACE}/algorithms/pia/outline/compare?from=1.0.0&to=1.1.0")
    assert "margin" in page.inner_text("main")
    accessible(page)

    rui.goto(f"{PLACE}/reviews/pia/outline/1.1.0")
    said = "Drawn boxes come back where they were drawn, and the labels with them."
    page.fill("#text", said)
    page.get_by_role("button", name="Review", exact=True).click()
    page.wait_for_selector(".review")
    assert said in page.inner_text(".review")
    accessible(page)
    # Chromium says on the console that our looking inside a page without scripts is blocked, and that a price was asked
    # for before the box was drawn: which is how the form knows what is missing.
    expected = re.compile(r"Blocked script execution|.*status of 422")
    assert [said for said in rui.complaints if not expected.match(said)] == []
    assert rui.hosts == {"127.0.0.1"}

    pia = enter(visitor, copy, "pia")
    pia.goto(f"{PLACE}/reviews/pia/outline/1.1.0")
    pia.page.locator(".review summary").first.click()
    pia.page.fill("#reply-1", "Thank you: the margin is next.")
    pia.page.get_by_role("button", name="Reply").click()
    pia.page.wait_for_selector(".reply")
    pia.goto(f"{PLACE}/dashboard")
    assert "outline" in pia.page.inner_text("main")
    accessible(pia.page)
    assert pia.goto(f"{PLACE}/runs/{run}").status == 404, "another one's run"
