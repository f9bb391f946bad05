"""OGC API - Processes in a browser: from the landing page to the results, by links alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.ogc_testing import echo_notebook, echoing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import make_world, write_environment

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, load: Any) -> Iterator[Any]:
    data: Path = tmp_path_factory.mktemp("ogc-pages")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=echoing)
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    ada = world.identity.actors["ada"]
    world.registry.publish(ada, echo_notebook())
    run, _ = world.runs.create(ada, RunRequest(algorithm="ada/echo", parameters={"text": "<script>1</script>"}))
    world.look_until(run.id)
    with load("pages_stack").serving(world) as made:
        yield made
    world.made.database.dispose()


def test_every_resource_is_a_page_and_leads_on(stack: Any, chromium: Any) -> None:
    """How it looks, and to whom, is the business of ``test_every_page.py``."""
    width = 1280
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(stack.at("ogc/"))
    for name, title in (
        ("The processes", "Processes"),
        ("As a page", "Processes"),
        ("ada.echo", "Echo for conformance"),
    ):
        if name == "ada.echo":
            page.goto(stack.at("ogc/processes/ada.echo"))
        else:
            page.get_by_role("link", name=name).first.click()
        assert page.locator("h1").inner_text() == title
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        _picture(page, title, width)
    assert page.get_by_role("link", name="Run it in a browser").count() == 1
    page.goto(stack.at("ogc/"))
    page.get_by_role("link", name="Your jobs").click()
    _picture(page, "jobs", width)
    page.get_by_role("link", name="Its results").first.click()
    assert page.locator("h1").inner_text().startswith("Results of job")
    assert page.get_by_role("heading", name="everything").count() == 1
    _picture(page, "results", width)
    page.get_by_role("link", name="The job").click()
    page.get_by_role("link", name="Where its results come from").click()
    assert "Provenance" in page.locator("h1").inner_text()
    _picture(page, "prov", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not complaints
    context.close()


def _picture(page: Any, name: str, width: int) -> None:
    """A picture to look at, where somebody asked for some."""
    folder = os.environ.get("SWATH_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/ogc-{name.split(maxsplit=1)[0].lower()}-{width}.png", full_page=True)
