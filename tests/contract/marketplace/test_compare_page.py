"""The page of two versions: pictures, lines and places of what differs, and who may fetch a picture."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath.contract.comparison import Comparison, Difference, Sides, Verdict
from swath_marketplace.domain.benchmarks import Order, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.breaks import NOTHING
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import World, make_world, notebook, user, write_environment

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\nsides"
WHERE = "algorithms/ada/double/compare"
ASKED = {"from": "1.0.0", "to": "1.1.0"}
CODE = "import swath\nswath.emit('index', 1)\nswath.emit('series', n)\nswath.emit('grid', 2)"
BOOKS = {"1.0.0": notebook(CODE), "1.1.0": notebook(CODE, "print('another')")}
MEDIA = {"index": "image/tiff; application=geotiff", "series": "text/csv", "grid": "image/tiff; application=geotiff"}


class Drawing(FakeComparer):
    """Draws what it says it drew."""

    def compare(self, pairs: Any, *, pictures: Path | None = None) -> Any:
        assert pictures
        (pictures / "index.sides.png").write_bytes(PNG)
        return super().compare(pairs, pictures=pictures)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    def script(run: Any, folder: Any) -> Any:
        later = run.version == "1.1.0"
        rows = "".join(f"2024-0{n}-01,{n + (n == 5) * later}\n" for n in range(1, 8))
        write_report(
            folder,
            outputs={name: f"{name} {later}".encode() for name in MEDIA} | {"series": f"t,ndvi\n{rows}".encode()},
        )
        path = folder.out / "report.json"
        report = json.loads(path.read_text())
        for record in report["outputs"]:
            record["media_type"] = MEDIA[record["name"]]
        path.write_text(json.dumps(report))
        return process_end()

    write_environment(tmp_path, python=sys.executable)
    found = Drawing()
    found.scripted["index"] = Comparison(
        verdict=Verdict.DIFFERS,
        kind="raster",
        message="far",
        compared=4,
        differing=1,
        differences=(Difference(where="row 1, <b>", expected="0.5", found="0.75", distance=0.25),),
        sides=Sides(band="red", unit="K", low=0.0, high=1.0, span=0.25, mean=0.0625, raised=1, lowered=0),
    )
    found.scripted["grid"] = Comparison(verdict=Verdict.INCOMPARABLE, kind="raster", message="another grid: turned")
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=script)
    made = make_world(tmp_path, executor=executor, comparer=found, slots_cpus=4)
    yield made
    made.made.database.dispose()


@pytest.fixture
def http(bobs_browser: httpx.AsyncClient) -> httpx.AsyncClient:
    return bobs_browser


def went(world: World, version: str, run_id: str) -> None:
    """The round of a version, as the benchmarks would store it."""
    found = world.registry.version(user("ada"), f"ada/double@{version}")
    order = Order(
        id=f"r{version.replace('.', '')}",
        algorithm_id=found.algorithm_id,
        owner="ada",
        name="double",
        version=version,
        version_digest=found.digest,
        dossier_digest="sha256:0",
        environment_lock_sha256=found.environment_lock_sha256,
        trigger=Trigger.ASKED,
        asked_by="ada",
        asked_at=NOW,
    )
    store = RoundStore(world.made.database)
    order, _ = store.ask(order)
    begun = store.begin(order, at=NOW)
    assert begun
    result = ScenarioResult(scenario="three", outcome=ScenarioOutcome.GREEN, message="", run_ids=(run_id,))
    store.note_result(begun.id, result, at=NOW)
    assert store.end(begun, at=NOW, changes=NOTHING)


async def test_what_differs_is_seen_and_said(http: httpx.AsyncClient, world: World) -> None:
    ada = {"Authorization": "Bearer ada"}
    for version, book in BOOKS.items():
        made = await http.post("algorithms", json={"notebook": book, "version": version}, headers=ada)
        assert made.status_code == 201, made.text
        asked = {"algorithm": f"ada/double@{version}", "parameters": {"n": 3}}
        run = (await http.post("runs", json=asked, headers=ada)).json()["id"]
        world.look_until(run)
        went(world, version, run)
    page = (await http.get(WHERE, params=ASKED, headers=HTML)).text
    for told in (
        'alt="pixels higher: 1, lower: 0; by 0.25 K at most and +0.0625 K on average"',
        'alt="red of 1.0.0, dark 0 to bright 1 K"',
        "row 1, &lt;b&gt;",
        "+0.25 (+50.00%)",
        "No picture: another grid: turned",
        'class="plot-overlaid"',
        "1.1.0 - 1.0.0 of ndvi: furthest apart by +1, 0 in the middle",
    ):
        assert told in page, told
    picture = f"{WHERE}/pictures/three/index"
    assert picture in page
    got = await http.get(picture, params=ASKED)
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, PNG, "image/png")
    assert got.headers["cache-control"] == "private, no-cache"
    known = {"if-none-match": got.headers["etag"]}
    assert (await http.get(picture, params=ASKED, headers=known)).status_code == 304
    for wrong, code in (("three/series", "no-such-picture"), ("four/index", "no-such-scenario")):
        none = await http.get(f"{WHERE}/pictures/{wrong}", params=ASKED)
        assert (none.status_code, none.json()["code"]) == (404, code)
    assert (await http.get(picture)).status_code == 422
    elsewhere = await http.get(picture.replace("double", "none"), params=ASKED)
    assert elsewhere.status_code == 404, "who sees no such algorithm sees no picture of it"
