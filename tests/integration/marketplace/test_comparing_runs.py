"""Two runs whose outputs are real rasters and tables, compared over HTTP in the sandbox of this machine."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from swath_marketplace.bootstrap.comparing import make_comparer
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.executors.sandbox_comparer import SandboxComparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import PREFIX, given_up, make_world, notebook, write_environment
from swath_sandbox import Allow

pytestmark = pytest.mark.integration
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def _cog(by: float) -> bytes:
    values = numpy.random.default_rng(6).random((1, 300, 200)).astype("float32")
    values[0, :20] = numpy.nan
    values[0, 150, 60] += by
    with MemoryFile() as memory:
        with memory.open(
            driver="COG", width=200, height=300, count=1, dtype="float32", crs="EPSG:32631", nodata=numpy.nan,
            transform=from_origin(500_000, 5_000_000, 10, 10), compress="deflate",
        ) as file:  # fmt: skip
            file.write(values)
            file.set_band_description(1, "ndvi")
        return bytes(memory.read())


def _script(run: Run, folder: Any) -> Any:
    step = run.parameters["n"]
    outputs = {
        "median": (COG, _cog(0.25 * step)),
        "season": ("text/csv", f"day,mean\n1,0.5\n2,{0.5 + step / 1000}\n".encode()),
        "summary": ("application/json", json.dumps({"made_at": step, "area": 7}).encode()),
    }
    write_report(folder, outputs={name: content for name, (_, content) in outputs.items()})
    report = json.loads((folder.out / "report.json").read_text())
    for record in report["outputs"]:
        record["media_type"] = outputs[record["name"]][0]
    (folder.out / "report.json").write_text(json.dumps(report))
    return process_end()


async def test_two_runs_are_held_against_each_other(tmp_path: Path) -> None:
    write_environment(tmp_path, python=sys.executable)
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=_script)
    settings = Settings(SWATH_DATA=tmp_path, SWATH_ALLOW_NO_CGROUPS=Allow.NO_CGROUPS in given_up())
    comparer = make_comparer(settings)
    assert isinstance(comparer, SandboxComparer)
    world = make_world(tmp_path, executor=executor, comparer=comparer)
    book = notebook("import swath\n\nswath.emit('median', n)", "swath.emit('season', n)", "swath.emit('summary', n)")
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:

        async def call(method: str, path: str, **more: Any) -> httpx.Response:
            who = "ada" if path == "algorithms" else "bob"
            return await http.request(method, f"{PREFIX}{path}", headers={"Authorization": f"Bearer {who}"}, **more)

        made = await call("POST", "algorithms", json={"notebook": book, "version": "1.0.0"})
        assert made.status_code == 201, made.text
        ids = []
        for step in (0, 1):
            answer = await call("POST", "runs", json={"algorithm": "ada/double", "parameters": {"n": step}})
            ids.append(answer.json()["id"])
            world.look_until(ids[-1])
        told = (await call("GET", f"runs/{ids[1]}/comparison", params={"with": ids[0]})).json()
        assert told["verdict"] == "differs"
        found = told["comparisons"]
        assert [one["where"] for one in found["median"]["differences"]] == ["band ndvi, row 150, column 60"]
        assert (found["median"]["compared"], found["median"]["largest"]) == (280 * 200, pytest.approx(0.25, rel=1e-5))
        assert [one["where"] for one in found["season"]["differences"]] == ["row 1, column mean"]
        assert [one["where"] for one in found["summary"]["differences"]] == ["$.made_at"]
        picture = await http.get(found["median"]["picture"], headers={"Authorization": "Bearer bob"})
        assert Image.open(io.BytesIO(picture.content)).size == (200, 300)
        allowed = {"with": ids[0], "atol": 0.26, "ignore": ["$.made_at", "nothing"]}
        near = (await call("GET", f"runs/{ids[1]}/comparison", params=allowed)).json()
        assert {name: one["verdict"] for name, one in near["comparisons"].items()} == {
            "median": "within-tolerance",
            "season": "within-tolerance",
            "summary": "identical",
        }
    world.made.database.dispose()
