"""Every page, wide and light, narrow and dark: nothing serious for axe, nothing beside the screen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import swath_marketplace.api
from swath_marketplace.domain.externals import RECORD_CORE
from swath_marketplace.domain.reports import ReportKind
from swath_marketplace.domain.reviews import ReviewKind, ReviewVerdict
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.ogc_testing import echo_notebook, echoing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import PREFIX, World, make_world, notebook, operator, user, write_environment
from swath_service.pages import Pages

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "service" / "swath_service" / "static" / "pages.css"
AXE = (ROOT / "marketplace" / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
LOOK = """async () => (await axe.run({ resultTypes: ['violations'] })).violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`)"""
UDP = "https://apex.esa.int/core/openeo-udp"
SHAPES = ((1280, "light"), (320, "dark"))
#: Pages that others build on, and that are none by themselves.
PARTS = {"base.html", "fields.html", "macros.html"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A page: who looks, where, and how it answers."""

    name: str
    path: str
    who: str = "ada"
    status: int = 200


ROWS = tuple(
    Row(name=name, path=path, **more)
    for name, path, more in (
        ("catalogue", "", {}),
        ("found", "algorithms?q=echo", {}),
        ("nothing-found", "algorithms?q=zzzunheard", {}),
        ("card", "algorithms/ada/echo", {}),
        ("compare", "algorithms/ada/double/compare?from=1.0.0&to=1.1.0", {}),
        ("maturity", "algorithms/ada/echo/versions/1.0.0/page", {}),
        ("external", "external/apex/one", {}),
        ("run-form", "algorithms/ada/echo/versions/1.0.0/run", {}),
        ("runs", "runs", {}),
        ("no-runs", "runs", {"who": "cyd"}),
        ("run", "runs/{run}", {}),
        ("run-failed", "runs/{failed}", {}),
        ("shared", "shared/{secret}", {"who": "bob"}),
        ("reviews", "reviews/ada/echo/1.0.0", {}),
        ("reviews-to-write", "reviews/ada/echo/1.0.0", {"who": "bob"}),
        ("reports", "reports", {}),
        ("no-reports", "reports", {"who": "cyd"}),
        ("report", "reports/{report}", {"who": "bob"}),
        ("favourites", "favourites", {"who": "bob"}),
        ("notices", "notices", {}),
        ("no-notices", "notices", {"who": "cyd"}),
        ("dashboard", "dashboard", {}),
        ("no-dashboard", "dashboard", {"who": "cyd"}),
        ("operator", "operator", {"who": "root"}),
        ("account", "account", {}),
        ("ogc", "ogc/", {}),
        ("ogc-conformance", "ogc/conformance", {}),
        ("ogc-api", "ogc/api?f=html", {}),
        ("ogc-processes", "ogc/processes", {}),
        ("ogc-process", "ogc/processes/ada.echo", {}),
        ("ogc-package", "ogc/processes/ada.echo/package?f=html", {}),
        ("ogc-jobs", "ogc/jobs", {}),
        ("ogc-job", "ogc/jobs/{run}", {}),
        ("ogc-results", "ogc/jobs/{run}/results", {}),
        ("ogc-prov", "ogc/jobs/{run}/prov", {}),
        ("ogc-inputs", "ogc/jobs/{run}/inputs", {}),
        ("ogc-no-process", "ogc/processes/ada.none", {"status": 404}),
        ("wrong-value", "algorithms?level=silver", {"status": 422}),
        ("wrong-number", "runs?limit=many", {"status": 422}),
        ("no-such-run", "runs/0123456789abcdef0123456789abcdef", {"status": 404}),
        ("no-such-page", "nowhere/at/all", {"status": 404}),
        ("not-yours", "operator", {"status": 403}),
    )
)


def fill(world: World, root: Path) -> dict[str, str]:
    """Something on every page; the names that only this run of the tests knows."""
    ada, bob, context = user("ada"), user("bob"), world.made.context
    world.registry.publish(ada, echo_notebook())
    for version, asked in (("1.0.0", "# How many\nn: int = 1"), ("1.1.0", "# How many\nn: int = 2")):
        world.registry.publish(ada, notebook(parameters=asked, keywords=["twice"]), version=version)
    names = {}
    for name, text in (("run", "A text of some words"), ("failed", "fail")):
        run, _ = world.runs.create(ada, RunRequest(algorithm="ada/echo@1.0.0", parameters={"text": text}))
        names[name] = str(world.look_until(run.id).id)
    _, names["secret"] = context.run_links.make(ada, names["run"], days=1)
    said = "I ran it with every kind of value, and each of them came back as it went in."
    context.maturity.review(bob, "ada/echo@1.0.0", kind=ReviewKind.FUNCTIONAL, verdict=ReviewVerdict.APPROVE, text=said)
    context.moderation.reviews.reply(ada, "ada/echo@1.0.0", review=1, text="Thank you for looking.")
    wrong = "The summary promises more than the algorithm does; see the third cell of its notebook."
    names["report"] = context.moderation.reports.report(
        bob, "ada/double@1.0.0", kind=ReportKind.WRONG_RESULTS, text=wrong
    ).report.id
    context.moderation.acts.revoke(operator(), "ada/double@1.0.0", reason="it reads the wrong band")
    apex(root)
    assert context.judging.externals.import_folder("apex", root).new
    return names


def apex(root: Path) -> None:
    """A record as other platforms publish them."""
    links = [{"rel": "service", "type": "application/json", "title": "Process", "href": "https://run.example/one"}]
    record = {
        "id": "one",
        "type": "Feature",
        "conformsTo": [RECORD_CORE, UDP],
        "geometry": None,
        "properties": {
            "type": "service",
            "title": "Greenness of fields",
            "description": "How green fields are, by month.",
            "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-02T00:00:00Z",
            "keywords": ["Vegetation"],
            "license": "CC-BY-4.0",
        },
        "links": links,
    }
    path = root / "catalogue" / "maker" / "one" / "records" / "one.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))


@pytest.fixture(scope="module")
def drawn() -> Iterator[set[str]]:
    """The templates that were drawn."""
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        render = Pages.render

        def told(self: Pages, request: Any, template: str, **values: Any) -> Any:
            seen.add(template)
            return render(self, request, template, **values)

        patch.setattr(Pages, "render", told)
        yield seen


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, load: Any, drawn: set[str]) -> Iterator[Any]:
    data: Path = tmp_path_factory.mktemp("every-page")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=echoing)
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    names = fill(world, data / "apex")
    with load("pages_stack").serving(world) as made:
        made.names = names
        yield made
    world.made.database.dispose()


@pytest.fixture(scope="module")
def people(chromium: Any, stack: Any) -> Iterator[Any]:
    """Each person's one window, signed in."""
    pages: dict[str, Any] = {}

    def of(who: str) -> Any:
        if who not in pages:
            stack.who = who
            pages[who] = chromium.new_context().new_page()
            pages[who].goto(stack.at(""))
        return pages[who]

    yield of
    for page in pages.values():
        page.context.close()


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_page_is_for_everybody(row: Row, stack: Any, people: Any) -> None:
    page = people(row.who)
    page.set_viewport_size({"width": SHAPES[0][0], "height": 900})
    page.emulate_media(color_scheme=SHAPES[0][1])
    answer = page.goto(stack.at(row.path.format(**stack.names)))
    assert answer.status == row.status
    assert answer.headers["content-type"].startswith("text/html")
    if row.status >= 400:
        assert answer.headers["x-request-id"] in page.inner_text("main")
    policy = answer.headers["content-security-policy"]
    looked = _copy(page) if "sandbox" in policy and "allow-scripts" not in policy else page
    looked.evaluate(AXE)
    for width, scheme in SHAPES:
        page.set_viewport_size({"width": width, "height": 900})
        looked.set_viewport_size({"width": width, "height": 900})
        looked.emulate_media(color_scheme=scheme)
        page.emulate_media(color_scheme=scheme)
        assert looked.evaluate(LOOK) == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, scheme)
    if looked is not page:
        looked.close()
    _pictures(page, row.name)


def test_no_page_is_left_out(stack: Any, drawn: set[str]) -> None:
    """A template that no row draws, or a resource of OGC's that no row asks for, is a page that nobody looked at."""
    templates = {path.name for path in (Path(swath_marketplace.api.__file__).parent / "templates").iterdir()}
    assert templates - PARTS - drawn == set()
    asked = {row.path.partition("?")[0] for row in ROWS}
    for route in stack.world.app().routes:
        path = getattr(route, "path", "").removeprefix(PREFIX).rstrip("/")
        if path.startswith("ogc") and "GET" in route.methods:
            assert any(_fits(path, one) for one in asked), path


def _fits(template: str, path: str) -> bool:
    ours, theirs = template.split("/"), path.rstrip("/").split("/")
    return len(ours) == len(theirs) and all(a == b or a.startswith("{") for a, b in zip(ours, theirs, strict=True))


def _copy(page: Any) -> Any:
    """The same words and style where scripts may run: axe needs them, and the page lets none."""
    other = page.context.new_page()
    other.set_content(page.content())
    other.add_style_tag(content=STYLE.read_text())
    return other


def _pictures(page: Any, name: str) -> None:
    """Pictures to look at, where somebody asked for some."""
    folder = os.environ.get("SWATH_PICTURES")
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")) if folder else ():
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
        page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
