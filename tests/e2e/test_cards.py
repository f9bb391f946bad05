"""Cards in a real browser: read, compared, kept and followed with the keyboard; nobody's words run; nothing for axe."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import make_world, notebook, user, write_environment

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "service" / "swath_service" / "static" / "pages.css"
AXE = ROOT / "marketplace" / "web" / "node_modules" / "axe-core" / "axe.min.js"
EVIL = '<img src=x onerror="globalThis.owned=1;alert(1)"><script>globalThis.owned=2</script>'
RING = [[[4.0, 50.0], [6.0, 50.0], [6.0, 51.0], [4.0, 51.0], [4.0, 50.0]]]
FIELD = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": RING}, "properties": {EVIL: EVIL}}
TABLE = f"time,ndvi,{json.dumps(EVIL)}\n" + "".join(f"2024-{month:02d}-15,{month / 20},1\n" for month in range(1, 13))
OUTPUTS = {
    "double": ("application/json", json.dumps({"word": EVIL}).encode()),
    "series": ("text/csv", TABLE.encode()),
    "shapes": ("application/geo+json", json.dumps({"type": "FeatureCollection", "features": [FIELD]}).encode()),
    "page": ("text/html", f"<h1>Page</h1>{EVIL}".encode()),
}


def bringing(_: Any, folder: Any) -> Any:
    """A run that brings `OUTPUTS` back."""
    write_report(folder, outputs={name: content for name, (_, content) in OUTPUTS.items()})
    path = folder.out / "report.json"
    report = json.loads(path.read_text())
    for record in report["outputs"]:
        record["media_type"] = OUTPUTS[record["name"]][0]
    path.write_text(json.dumps(report))
    return process_end(cpu_seconds=2.0)


def fill(world: Any) -> None:
    """Two versions, each run by the platform; words of somebody who means ill."""
    ada, context = user("ada"), world.made.context
    emits = "\n".join(["import swath", *(f"swath.emit('{name}', list(str(n)))" for name in OUTPUTS)])
    reference = OUTPUTS["double"][1]
    expected = {"reference": "references/double.json", "sha256": hashlib.sha256(reference).hexdigest()}
    scenario = {"title": f"Three {EVIL}", "parameters": {"n": 3}, "outputs": {"double": expected}}
    for version, parameters in (("1.0.0", "# How many\nn: int = 1"), ("1.1.0", "# How many\nn: int = 2")):
        book = notebook(emits, parameters=parameters, title=f"Doubles {EVIL}"[:120], summary=EVIL, keywords=["twice"])
        context.registry.publish(ada, book, version=version)
        context.dossiers.put(
            ada,
            f"ada/double@{version}",
            {
                "README.md": f"# Card\n\n{EVIL}\n\n[x](javascript:globalThis.owned=3) ![y](https://tracker.example/y.png)".encode(),
                "CHANGELOG.md": f"## {version}\n\n- {EVIL}".encode(),
                "scenarios/three.json": json.dumps(scenario).encode(),
                "references/double.json": reference,
            },
        )
    store = RoundStore(world.made.database)
    for _ in range(300):
        world.made.keeper.look()
        if not (store.open() or store.untold()):
            return
        world.made.reconciler.look()
    raise AssertionError("a round is still open")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, load: Any) -> Iterator[Any]:
    data: Path = tmp_path_factory.mktemp("cards")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=bringing)
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    fill(world)
    with load("pages_stack").serving(world) as made:
        made.who = "bob"
        yield made
    world.made.database.dispose()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "narrow"])
def page(request: pytest.FixtureRequest, chromium: Any, stack: Any) -> Iterator[Any]:
    width, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    made, odd = context.new_page(), []
    made.set_default_timeout(15_000)
    made.on("dialog", lambda dialog: (odd.append(dialog.message), dialog.dismiss()))
    made.on("request", lambda asked: odd.append(asked.url) if "tracker.example" in asked.url else None)
    yield made
    assert not odd, odd
    context.close()


def sound(page: Any, *, scripts: bool = True) -> None:
    """Nothing serious or critical that axe finds; nothing of anybody's ran; no sideways scrolling.

    Parameters
    ----------
    scripts
        Whether the page lets scripts run at all; where not, axe looks at the same words and style elsewhere.
    """
    assert page.evaluate("String(globalThis.owned)") == "undefined"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    looked = page
    if not scripts:
        looked = page.context.new_page()
        looked.set_content(page.content())
        looked.add_style_tag(content=STYLE.read_text())
    looked.evaluate(AXE.read_text())
    found = looked.evaluate(
        "async () => (await axe.run({ resultTypes: ['violations'] })).violations"
        ".filter((one) => ['serious', 'critical'].includes(one.impact))"
        ".map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`)"
    )
    assert found == []
    if looked is not page:
        looked.close()


def test_a_card_is_read_kept_followed_and_compared(page: Any, stack: Any) -> None:
    page.goto(stack.at("algorithms/ada/double"))
    place = page.locator("[data-map]")
    place.scroll_into_view_if_needed()
    page.locator("[data-map] canvas").first.wait_for()
    sound(page)
    for verb, done in (("Add to favourites", "In your favourites"), ("Follow", "Following")):
        page.get_by_role("button", name=verb, exact=True).press("Enter")
        page.get_by_role("button", name=done).wait_for()
    page.get_by_role("link", name="Compare 1.0.0 with 1.1.0").press("Enter")
    page.get_by_role("heading", name="1.0.0 and 1.1.0").wait_for()
    assert "its default is another one" in page.content()
    assert "identical" in page.content()
    sound(page)
    page.get_by_role("link", name="Favourites").press("Enter")
    page.get_by_role("heading", name="Followed").wait_for()
    sound(page, scripts=False)
    page.get_by_role("button", name="Unfollow ada/double").press("Enter")
    page.get_by_text("Nothing. Who follows").wait_for()
    page.get_by_role("button", name="Remove ada/double").press("Enter")
    page.get_by_text("None yet").wait_for()
    page.get_by_role("link", name="Notices").press("Enter")
    page.get_by_role("heading", name="Latest").wait_for()
    sound(page)
