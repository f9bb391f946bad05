"""JupyterLab as a person sees it: sign in, have it spawned, run the shipped notebooks to their ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
NAME = "lin"


@pytest.fixture(scope="module")
def lin(visitor: Any, copy: Any) -> Any:
    """She signed in with a one-time passcode and had her JupyterLab spawned, all on the pages."""
    lin = visitor()
    lin.goto("")
    lin.picture("sign-in")
    lin.sign_in(NAME, copy.passcode(NAME))
    assert lin.page.url == f"{copy.url}hub/home"
    lin.page.click("#start")
    lin.page.wait_for_url(f"**/user/{NAME}/lab**", timeout=90_000)
    lin.page.wait_for_selector(".jp-Launcher-sectionTitle", timeout=90_000)
    lin.picture("jupyterlab")
    return lin


@pytest.fixture(autouse=True)
def complaints(lin: Any) -> Any:
    """After each test: the console is empty, and nothing but this machine was asked for anything."""
    lin.complaints.clear()
    yield
    assert lin.complaints == []
    assert lin.hosts == {"127.0.0.1"}


def test_the_launcher_offers_the_environment_and_nothing_asks(lin: Any) -> None:
    kernels = lin.page.locator(".jp-LauncherCard[data-category=Notebook]").all_inner_texts()
    assert [text.splitlines()[-1] for text in kernels] == ["Earth observation (Python)"]
    # Neither news nor updates are offered: they would come from elsewhere.
    assert lin.page.locator(".Toastify__toast").count() == 0
    assert lin.page.locator(".jp-Dialog").count() == 0


def test_the_cluster_notebook_runs_on_two_workers(lin: Any) -> None:
    lin.open_notebook(NAME, "samples/notebooks/03-dask-cluster.ipynb")
    assert lin.run_all(seconds=120) == 6
    assert lin.bad_outputs() == []
    text = lin.outputs()
    assert re.search(r"^[0-9a-f]{32}: 2 workers$", text, re.MULTILINE)
    # Each sees the archive.
    assert len(re.findall(r"'tls://\S+': '/archive: \d+ entries'", text)) == 2
    dates = [int(cell) for cell in lin.page.locator("table.dataframe td").all_text_contents()]
    assert len(dates) == 2
    assert min(dates) > 0
    assert [width > 300 for width in lin.pictures()] == [True]
    lin.tall_picture("dask-cluster")


def test_the_shipped_algorithm_runs_at_the_desk(lin: Any, copy: Any) -> None:
    lin.open_notebook(NAME, _ndvi_notebook(copy))
    assert lin.run_all(seconds=90) == 9
    assert lin.bad_outputs() == []
    assert re.search(r"\d+ dates of \d+ x \d+ pixels", lin.outputs())
    assert len(lin.pictures()) == 2
    lin.tall_picture("ndvi-timeseries")
    kept = {path.name for path in (copy.data / "homes" / NAME / "outputs").iterdir()}
    assert kept == {"timeseries.csv", "plot.png", "median.tif", "summary.json"}


def _ndvi_notebook(copy: Any) -> str:
    """The sample; where the archive lacks its default collection, a copy in her home that names another."""
    if (copy.data / "archive" / "sentinel-2-l2a-field-spain").is_dir():
        return "samples/algorithms/ndvi-timeseries/notebook.ipynb"
    notebook = (ROOT / "algorithms" / "ndvi-timeseries" / "notebook.ipynb").read_text()
    changed = json.loads(notebook.replace("sentinel-2-l2a-field-spain", "landsat-8-simulated-season"))
    answer = httpx.put(
        f"{copy.url}user/{NAME}/api/contents/ndvi.ipynb",
        headers={"Authorization": f"token {copy.person(NAME).token('copy')}"},
        json={"type": "notebook", "content": changed},
        trust_env=False,
    )
    assert answer.status_code == 201, answer.text
    return "ndvi.ipynb"
