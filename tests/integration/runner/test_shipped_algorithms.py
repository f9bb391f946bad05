"""The shipped algorithms, run as they are shipped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import rasterio
from swath.contract.notebook import read_notebook
from swath.contract.parameters import check_parameters
from swath.contract.run import RunSpec
from swath_archive.domain.scenes import Grid, Pending, Scene
from swath_archive.services.fill import fill
from swath_archive.sources import Batch
from swath_archive.sources.specs import SENTINEL_2_SPAIN

pytestmark = pytest.mark.integration

ALGORITHMS = Path(__file__).parents[3] / "algorithms"
SIZE = 20
GRID = Grid(crs="EPSG:32630", transform=(10, 0, 344_000, 0, -10, 4_627_000), height=SIZE, width=SIZE)
#: Date, near-infrared reflectance (red is 0.1), columns from which on it is cloudy.
DATES = ((datetime(2019, 3, 1, tzinfo=UTC), 0.3, SIZE), (datetime(2019, 4, 1, tzinfo=UTC), 0.9, SIZE // 2))
CLOSED = datetime(2019, 5, 1, tzinfo=UTC)


def lay(folder: Any, slug: str, values: dict[str, Any]) -> None:
    """Put a shipped notebook and its bound parameters into a run's folder."""
    notebook = (ALGORITHMS / slug / "notebook.ipynb").read_bytes()
    interface = read_notebook(notebook, environments={"eo"}).interface
    assert interface is not None
    bound, findings = check_parameters(interface, values)
    assert findings == ()
    told = json.loads((folder.path / "input/spec.json").read_text())
    spec = RunSpec.from_dict({**told, "parameters": bound, "interface": interface.as_dict()})
    (folder.path / "input/spec.json").write_text(json.dumps(spec.as_dict()))
    (folder.path / "input/notebook.ipynb").write_bytes(notebook)


def scene(nir: float, clear_columns: int) -> Scene:
    """Red 0.1 and `nir` everywhere; vegetation up to a column, high cloud beyond."""
    classes = numpy.full((SIZE, SIZE), 4, dtype="uint8")
    classes[:, clear_columns:] = 9
    red = numpy.full((SIZE, SIZE), 1000, dtype="uint16")
    return Scene(grid=GRID, pixels={"B04": red, "B08": numpy.full_like(red, round(nir * 10_000)), "SCL": classes})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose numbers are known."""
    root = tmp_path_factory.mktemp("archive")
    items = [
        Pending(
            item_id=f"known-{at:%Y%m%d}",
            at=at,
            source=f"known-{at:%Y%m%d}",
            source_sha256=sha256(str(at).encode()).hexdigest(),
            read=partial(scene, nir, clear),
        )
        for at, nir, clear in (*DATES, (CLOSED, 0.5, 0))
    ]
    assert fill(root, [Batch(spec=SENTINEL_2_SPAIN, items=tuple(items))]).ok
    return root


def test_echo_gives_back_what_it_was_given(prepare: Any) -> None:
    values = {
        "text": "quote ' \" \\ \n ü",
        "code": "XY999",
        "integer": -3,
        "month": 12,
        "number": 2.5,
        "share": 1,
        "flag": False,
        "choice": "blue",
        "maybe": 4,
        "texts": ["x"],
        "numbers": [],
        "day": "2020-02-29",
        "moment": "2020-01-01T00:00:00Z",
        "area": {"west": 1, "south": 2, "east": 3, "north": 4},
        "shape": {"type": "Point", "coordinates": [1, 2]},
        "period": ["2020-01-01", None],
    }
    folder = prepare([])
    lay(folder, "echo", values)
    report = folder.run()
    assert report.error is None
    files = {output.name: folder.path / "out" / output.path for output in report.outputs}
    returned = json.loads(files["values"].read_text())["values"]
    assert returned == {**values, "moment": "2020-01-01T00:00:00+00:00"}
    assert all(json.loads(files[name].read_text()) == returned[name] for name in values)


def test_ndvi_over_an_archive_whose_numbers_are_known(prepare: Any, archive: Path) -> None:
    folder = prepare([])
    lay(folder, "ndvi-timeseries", {"min_clear_share": 0.4})
    report = folder.run(environment={"SWATH_ARCHIVE": str(archive)})
    assert report.error is None
    files = {output.name: folder.path / "out" / output.path for output in report.outputs}
    table = pandas.read_csv(files["timeseries"])
    assert table["date"].tolist() == ["2019-03-01", "2019-04-01", "2019-05-01"]
    assert table["ndvi_mean"].tolist() == pytest.approx([0.5, 0.8, float("nan")], nan_ok=True)
    assert table["clear_share"].tolist() == [1.0, 0.5, 0.0]
    assert set(table["pixels"]) == {SIZE * SIZE}
    with rasterio.open(files["median"]) as file:
        values = file.read(1)
        assert (file.crs.to_epsg(), file.shape) == (32630, (SIZE, SIZE))
        assert tuple(file.transform)[:6] == GRID.transform
    numpy.testing.assert_allclose(values[:, : SIZE // 2], 0.65, atol=1e-6)
    numpy.testing.assert_allclose(values[:, SIZE // 2 :], 0.5, atol=1e-6)
    assert files["plot"].read_bytes().startswith(b"\x89PNG")
    assert {(read.item, read.asset) for read in report.inputs} == {
        (f"known-2019{month:02}01", band) for month in (3, 4, 5) for band in ("B04", "B08", "SCL")
    }
    fractions = [event.fraction for event in folder.events() if event.type == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_ndvi_of_parcels(prepare: Any, archive: Path) -> None:
    from rasterio.warp import transform_geom

    def square(name: str, left: float) -> dict[str, Any]:
        ring = [(left, 4_627_000), (left + 50, 4_627_000), (left + 50, 4_626_950), (left, 4_626_950), (left, 4_627_000)]
        shape = transform_geom("EPSG:32630", "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
        return {"type": "Feature", "properties": {"name": name}, "geometry": json.loads(json.dumps(shape))}

    folder = prepare([])
    features = [square("west", 344_000), square("east", 344_150)]
    lay(folder, "ndvi-timeseries", {"parcels": {"type": "FeatureCollection", "features": features}})
    report = folder.run(environment={"SWATH_ARCHIVE": str(archive)})
    assert report.error is None
    files = {output.name: folder.path / "out" / output.path for output in report.outputs}
    table = pandas.read_csv(files["timeseries"])
    found = {(row.parcel, row.date): row.ndvi_mean for row in table.itertuples()}
    assert found["west", "2019-04-01"] == pytest.approx(0.8)
    assert numpy.isnan(found["east", "2019-04-01"])
    assert found["east", "2019-03-01"] == pytest.approx(0.5)


def test_ndvi_of_nothing_fails_and_says_why(prepare: Any, archive: Path) -> None:
    folder = prepare([])
    lay(folder, "ndvi-timeseries", {"temporal_extent": ["2019-04-20", "2019-06-01"]})
    report = folder.run(environment={"SWATH_ARCHIVE": str(archive)})
    assert report.error is not None
    assert report.error.code == "cell-failed"
    assert "Every pixel of every date is masked" in report.error.message
