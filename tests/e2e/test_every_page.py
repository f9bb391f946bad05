"""Every kind of page by axe and by its width, wide and light, narrow and dark: nothing serious, nothing cut off."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.domain.externals import RECORD_CORE
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import make_world, notebook, write_environment

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
AXE = ROOT / "marketplace" / "web" / "node_modules" / "axe-core" / "axe.min.js"
TEMPLATES = (ROOT / "marketplace/swath_marketplace/api/templates", ROOT / "service/swath_service/templates")
#: Made of by others, no page by themselves.
PARTS = {"base", "fields", "frame", "macros"}
VERSION = "algorithms/ada/double/versions/1.1.0"
#: Every page by its template: what it is called, where it is, who looks. RUN and MADE are runs.
PAGES = (
    ("catalogue", "all", "", "bob"),
    ("catalogue", "found", "algorithms?q=double&level=prototype", "bob"),
    ("catalogue", "nothing found", "algorithms?q=zebra", "bob"),
    ("card", "card", "algorithms/ada/double", "bob"),
    ("card", "its author's card", VERSION, "ada"),
    ("external", "external", "external/apex/far", "bob"),
    ("compare", "compare", "algorithms/ada/double/compare?from=1.0.0&to=1.1.0", "bob"),
    ("maturity", "maturity", f"{VERSION}/page", "bob"),
    ("reviews", "reviews", "reviews/ada/double/1.1.0", "cyd"),
    ("run_form", "run form", "algorithms/ada/everything/versions/1.0.0/run", "bob"),
    ("run", "run", "runs/RUN", "bob"),
    ("run", "failed run", "runs/FAILED", "bob"),
    ("run", "shared run", "shared/SHARE", "cyd"),
    ("runs", "runs", "runs", "bob"),
    ("runs", "no runs", "runs", "cyd"),
    ("favourites", "favourites", "favourites", "bob"),
    ("notices", "notices", "notices", "bob"),
    ("reports", "reports", "reports", "bob"),
    ("dashboard", "author's dashboard", "dashboard", "ada"),
    ("operator", "operator", "operator", "root"),
    ("reports", "operator's reports", "reports", "root"),
    ("account", "your data", "account", "bob"),
    ("ogc", "ogc landing", "ogc/", "bob"),
    ("ogc", "ogc conformance", "ogc/conformance", "bob"),
    ("ogc", "ogc processes", "ogc/processes", "bob"),
    ("ogc", "ogc process", "ogc/processes/ada.everything", "bob"),
    ("ogc", "ogc jobs", "ogc/jobs", "bob"),
    ("ogc", "ogc job", "ogc/jobs/RUN", "bob"),
    ("ogc", "ogc results", "ogc/jobs/RUN/results", "bob"),
    ("ogc", "ogc provenance", "ogc/jobs/RUN/prov", "bob"),
    ("ogc", "ogc refusal", "ogc/processes/none.such", "bob"),
    ("error", "no such level", "algorithms?level=draft", "bob"),
    ("error", "not there", "runs/none", "bob"),
    ("error", "not for bob", "operator", "bob"),
    ("error", "no number", "runs?limit=many", "bob"),
    ("error", "no such address", "nowhere/at/all", "bob"),
)
LONG = "https://example.org/" + "a-long-address-without-any-place-to-break-it/" * 6
WORDS = f"It does what it says, with data of ours; see {LONG} for what we compared it with."


def ask(stack: Any, who: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {who}"}
    answer = httpx.request(method, stack.at(path), json=body, headers=headers, trust_env=False)
    assert answer.is_success, (path, answer.text)
    return answer.json() if answer.content else None


def lay_external(root: Path) -> Path:
    about = {
        "type": "service",
        "title": f"Far away {LONG[:80]}",
        "description": WORDS,
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-02T00:00:00Z",
        "license": "CC-BY-4.0",
        "keywords": ["Vegetation"],
    }
    link = {"rel": "service", "type": "application/json", "title": "Service", "href": LONG}
    udp = "https://apex.esa.int/core/openeo-udp"
    record = {"id": "far", "type": "Feature", "conformsTo": [RECORD_CORE, udp], "geometry": None}
    path = root / "records" / "maker" / "far" / "records" / "far.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**record, "properties": about, "links": [link]}))
    return root / "records"


def fill(stack: Any, cards: Any, pages: Any, folder: Path) -> dict[str, str]:
    """Something on every page; the runs that rows speak of."""
    world, actors = stack.world, stack.world.identity.actors
    world.made.context.judging.externals.import_folder("apex", lay_external(folder))
    world.registry.publish(actors["ada"], notebook(name="double"), version="0.9.0")
    ask(stack, "bob", "PUT", "favourites/ada/double")
    ask(stack, "bob", "PUT", "follows/ada/double")
    cards.fill(world)
    world.registry.publish(actors["ada"], pages.everything(), version="1.0.0")
    for kind, verdict in (("technical", "reject"), ("functional", "approve")):
        ask(stack, "bob", "POST", f"{VERSION}/reviews", {"kind": kind, "verdict": verdict, "text": WORDS})
    ask(stack, "ada", "POST", f"{VERSION}/reviews/1/replies", {"text": WORDS})
    told = {"algorithm": "ada/double@1.1.0", "kind": "wrong-results", "text": WORDS}
    ask(stack, "bob", "POST", "reports", told)
    runs = {}
    for name, algorithm in (("RUN", "ada/everything@1.0.0"), ("FAILED", "ada/double@0.9.0")):
        run, _ = world.runs.create(actors["bob"], RunRequest(algorithm=algorithm, parameters={}))
        runs[name] = str(world.look_until(run.id).id)
    runs["SHARE"] = ask(stack, "bob", "POST", f"runs/{runs['RUN']}/shares", {})["href"].rpartition("/")[2]
    return runs


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, load: Any) -> Iterator[Any]:
    cards, pages = load("test_cards"), load("pages_stack")

    def script(run: Any, folder: Any) -> Any:
        if run.version == "0.9.0":
            pages.say(folder, 0, "log", stream="stderr", text=f"ValueError: {LONG}\n", cell=1)
            write_report(folder, outputs={}, error={"name": "ValueError", "message": LONG, "cell": 1})
            return process_end(exit_code=1)
        return (pages if run.name == "everything" else cards).bringing(run, folder)

    data: Path = tmp_path_factory.mktemp("every-page")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=script)
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    with pages.serving(world) as made:
        made.runs = fill(made, cards, pages, data / "elsewhere")
        yield made
    world.made.database.dispose()


def test_no_kind_of_page_is_left_out() -> None:
    made = {path.stem for folder in TEMPLATES for path in folder.glob("*.html")} - PARTS
    assert made == {template for template, *_ in PAGES}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_nothing_serious_and_nothing_cut_off(stack: Any, chromium: Any, width: int, scheme: str) -> None:
    faults: list[str] = []
    axe = AXE.read_text()
    for who in sorted({who for *_, who in PAGES}):
        stack.who = who
        # Without the pages' own rules, which keep out whatever is no script of theirs: axe, too.
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        )
        page = context.new_page()
        for _, name, path, looks in PAGES:
            if looks == who:
                page.goto(stack.at(re.sub("RUN|FAILED|SHARE", lambda word: stack.runs[word[0]], path)))
                assert page.locator("h1").count() == 1, name
                faults += [f"{name} at {width}: {one}" for one in _faults(page, axe)]
                _picture(page, name, width, scheme)
        context.close()
    assert not faults, "\n".join(faults)


def _faults(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[str] = page.evaluate(
        "async () => (await axe.run({ resultTypes: ['violations'] })).violations"
        ".filter((one) => ['serious', 'critical'].includes(one.impact))"
        ".map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`)"
    )
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        found.append(f"{wide} pixels stand out at the side")
    return found


def _picture(page: Any, name: str, width: int, scheme: str) -> None:
    """A picture to look at, where somebody asked for some."""
    if folder := os.environ.get("SWATH_PICTURES"):
        page.wait_for_load_state("networkidle")
        page.screenshot(path=f"{folder}/{name.replace(' ', '-')}-{width}-{scheme}.png", full_page=True)
