"""Adding a file: each thing that is wrong with one is told in its own words, all at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine, from_origin
from swath_archive.domain.additions import Addition
from swath_archive.domain.errors import BadFile
from swath_archive.services.ingest import add
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.validation import findings
from swath_service.errors import Conflict

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A GeoTIFF with two bands and everything said; keywords change its profile."""

    def make_file(
        name: str = "scene.tif", *, names: tuple[str | None, ...] = ("red", "nir"), seed: int = 0, **changes: Any
    ) -> Path:
        path = tmp_path / name
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "height": 30,
            "width": 40,
            "count": len(names),
            "dtype": "uint16",
            "crs": "EPSG:32631",
            "transform": from_origin(600000, 5000000, 10, 10),
            "nodata": 0,
        } | changes
        values = np.random.default_rng(seed).integers(1, 200, (profile["count"], 30, 40)).astype(profile["dtype"])
        with rasterio.open(path, "w", **profile) as target:
            target.write(values)
            for index, band in enumerate(names, 1):
                if band:
                    target.set_band_description(index, band)
            target.update_tags(TIFFTAG_DATETIME="2023:04:05 10:46:00")
        return path

    return make_file


def test_a_good_file_becomes_an_item(make: Make, tmp_path: Path) -> None:
    path = make()
    root = tmp_path / "archive"
    item = add(root, Addition(path=path, collection="mine", title="My scenes", licence="CC-BY-4.0"))
    assert findings(item) == []
    assert item["properties"]["datetime"] == "2023-04-05T10:46:00Z"
    assert item["properties"]["swath:simulated"] is False
    assert set(item["assets"]) == {"red", "nir"}
    assert [document["title"] for document in Catalogue(root).collections()] == ["My scenes"]
    with rasterio.open(root / "mine/scene/nir.tif") as copy, rasterio.open(path) as original:
        assert np.array_equal(copy.read(1), original.read(2))
        assert copy.nodata == 0


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"crs": None}, "crs", "no coordinate reference system"),
        ({"transform": Affine(10, 3, 600000, 3, -10, 5000000)}, "transform", "rotated"),
        ({"transform": Affine(10, 0, 600000, 0, 10, 5000000)}, "transform", "rotated"),
        ({"nodata": None}, "nodata", "stands for no data"),
        ({"names": ("red", None)}, "bands", "band 2 has no description"),
        ({"names": ("red", "red")}, "bands", "named twice"),
        ({"names": ("red", "near infrared/2")}, "bands", "no name for a band"),
        ({"dtype": "complex64", "nodata": None}, "data_type", "complex64"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_that_lacks_something(
    make: Make, tmp_path: Path, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(BadFile) as caught:
        add(tmp_path / "archive", Addition(path=make(**changes), collection="mine"))
    finding = next(one for one in caught.value.findings if one["field"] == field)
    assert words in finding["message"]
    assert finding["mend"]
    assert Catalogue(tmp_path / "archive").collections() == []


def test_all_that_is_wrong_at_once(make: Make, tmp_path: Path) -> None:
    path = make(names=(None, None), nodata=None)
    with rasterio.open(path, "r+") as source:
        source.update_tags(TIFFTAG_DATETIME="last week")
    with pytest.raises(BadFile) as caught:
        add(tmp_path / "archive", Addition(path=path, collection="Not An Id", item_id="../up"))
    assert [one["field"] for one in caught.value.findings] == [
        "bands",
        "bands",
        "nodata",
        "datetime",
        "item",
        "collection",
    ]


def test_no_file_and_no_raster(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="there is no file"):
        add(tmp_path / "archive", Addition(path=tmp_path / "none.tif", collection="mine"))
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    with pytest.raises(BadFile, match="cannot be read as a GeoTIFF"):
        add(tmp_path / "archive", Addition(path=text, collection="mine"))
    reference = tmp_path / "reference.vrt"
    reference.write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(BadFile, match="cannot be read as a GeoTIFF"):
        add(tmp_path / "archive", Addition(path=reference, collection="mine"))


def test_what_the_caller_says_goes_before_the_file(make: Make, tmp_path: Path) -> None:
    item = add(
        tmp_path / "archive",
        Addition(
            path=make(names=(None, None), nodata=None),
            collection="mine",
            at=datetime(2020, 1, 2, tzinfo=UTC),
            item_id="named",
            bands=("a", "b"),
            no_nodata=True,
        ),
    )
    assert item["id"] == "named"
    assert item["properties"]["datetime"] == "2020-01-02T00:00:00Z"
    assert "nodata" not in item["assets"]["a"]["bands"][0]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dtype": "float32", "nodata": 0}, "data_type"),
        ({"nodata": 65535}, "nodata"),
        ({"names": ("red", "swir")}, "bands"),
    ],
)
def test_a_band_means_one_thing_throughout_a_collection(
    make: Make, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    root = tmp_path / "archive"
    add(root, Addition(path=make(), collection="mine"))
    with pytest.raises(BadFile) as caught:
        add(root, Addition(path=make("other.tif", **changes), collection="mine"))
    assert {one["field"] for one in caught.value.findings} == {field}
    assert [item["id"] for item in Catalogue(root).items("mine")] == ["scene"]


def test_again_is_nothing_and_another_under_the_same_id_is_refused(make: Make, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    add(root, Addition(path=make(), collection="mine"))
    digest = Catalogue(root).digest()
    add(root, Addition(path=make(), collection="mine"))
    assert Catalogue(root).digest() == digest
    other = make("other.tif", seed=1)
    with pytest.raises(Conflict, match="made of another file"):
        add(root, Addition(path=other, collection="mine", item_id="scene"))
    replaced = add(root, Addition(path=other, collection="mine", item_id="scene", replace=True))
    assert replaced["properties"]["swath:source"] == "other.tif"
    assert Catalogue(root).digest() != digest


def test_a_second_scene_keeps_the_collections_words(make: Make, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    add(root, Addition(path=make(), collection="mine", title="My scenes", licence="CC-BY-4.0"))
    add(root, Addition(path=make("second.tif", seed=2), collection="mine", title="Another title"))
    (collection,) = Catalogue(root).collections()
    assert collection["title"] == "My scenes"
    assert collection["license"] == "CC-BY-4.0"
    assert sum(link["rel"] == "item" for link in collection["links"]) == 2
    assert findings(json.loads((root / "mine/second/second.json").read_text())) == []
