"""What stands on disk: cloud-optimised files, a catalogue that other programs read, and nothing half done."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pystac
import pytest
import rasterio
from swath_archive.domain.errors import ArchiveBroken, SourceUnavailable
from swath_archive.services.fill import fill
from swath_archive.sources import Batch
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.cog import write_cog


def test_an_asset_is_a_cog_that_tells_everything(small: ModuleType, small_archive: Path) -> None:
    with rasterio.open(small_archive / "reflectance/reflectance-20230402/B04.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.profile["tiled"]
        assert source.overviews(1) == [2]
        assert source.nodata == 65535
        assert source.scales == (0.0001,)
        assert source.descriptions == ("B04",)
        assert source.crs.to_epsg() == 32631
        assert source.transform[:6] == small.GRID.transform
        assert np.array_equal(source.read(1), small.numbers(0, "B04"))


def test_overviews_of_classes_hold_classes_only(small: ModuleType, small_archive: Path) -> None:
    path = small_archive / "reflectance/reflectance-20230402/SCL.tif"
    with rasterio.open(path) as source:
        assert source.dtypes == ("uint8",)
        overview = source.read(1, out_shape=(150, 140))
    assert set(np.unique(overview)) <= set(np.unique(small.numbers(0, "SCL")))


def test_checksums_and_sizes_are_those_of_the_files(small_archive: Path) -> None:
    folder = small_archive / "reflectance/reflectance-20230407"
    item = json.loads((folder / "reflectance-20230407.json").read_text())
    assert set(item["assets"]) == {"B04", "B08", "SCL"}
    for asset in item["assets"].values():
        content = (folder / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert asset["file:size"] == len(content)


def test_pystac_walks_the_catalogue(small_archive: Path) -> None:
    catalogue = pystac.Catalog.from_file(str(small_archive / "catalog.json"))
    items = {item.id: item for item in catalogue.get_items(recursive=True)}
    assert set(items) == {"reflectance-20230402", "reflectance-20230407", "reflectance-20230412", "odd"}
    for item in items.values():
        assert item.get_parent().id == item.collection_id
        assert all(Path(asset.get_absolute_href()).is_file() for asset in item.assets.values())
    extent = catalogue.get_child("odd-grid").extent
    assert extent.temporal.intervals[0][0].isoformat() == "2023-04-02T00:00:00+00:00"
    assert extent.spatial.bboxes[0] == items["odd"].bbox


def test_a_second_run_reads_and_writes_nothing(small: ModuleType, tmp_path: Path) -> None:
    reads: list[None] = []
    first = fill(tmp_path, small.batches(lambda: reads.append(None)))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(reads) == 4
    second = fill(tmp_path, small.batches(lambda: reads.append(None)))
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(reads) == 4
    assert before == after
    assert second.digest == first.digest
    assert [(one.stored, one.found) for one in second.collections] == [(0, 3), (0, 1)]


def test_it_goes_on_where_it_was_cut_off(small: ModuleType, tmp_path: Path) -> None:
    reads: list[None] = []

    def cut() -> None:
        reads.append(None)
        if len(reads) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, small.batches(cut))
    stray = tmp_path / "reflectance/reflectance-20230407/.B04.tif.99.partial"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"half a file")
    # What was cut off is listed nowhere.
    assert Catalogue(tmp_path).collections() == []
    report = fill(tmp_path, small.batches(lambda: reads.append(None)))
    assert [(one.stored, one.found) for one in report.collections] == [(2, 1), (1, 0)]
    assert len(reads) == 2 + 3
    assert not stray.exists()


def test_a_damaged_file_is_written_again(small: ModuleType, tmp_path: Path) -> None:
    fill(tmp_path, small.batches())
    damaged = tmp_path / "reflectance/reflectance-20230412/B08.tif"
    damaged.write_bytes(damaged.read_bytes()[:100])
    report = fill(tmp_path, small.batches())
    assert [(one.stored, one.found) for one in report.collections] == [(1, 2), (0, 1)]
    with rasterio.open(damaged) as source:
        assert np.array_equal(source.read(1), small.numbers(2, "B08"))


def test_a_source_that_fails_keeps_no_other_out(small: ModuleType, tmp_path: Path) -> None:
    def fail() -> None:
        raise SourceUnavailable(code="x", message="the host does not answer", mend="wait")

    good, bad = small.batches()[1], small.batches(fail)[0]
    report = fill(tmp_path, [bad, good])
    assert not report.ok
    assert [failure.collection for failure in report.failures] == ["reflectance"]
    assert [document["id"] for document in Catalogue(tmp_path).collections()] == ["odd-grid"]
    extra = Batch(spec=bad.spec, items=bad.items, extra=True)
    assert fill(tmp_path, [extra, good]).ok


def test_everybody_may_read_what_a_careful_operator_wrote(small: ModuleType, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        fill(tmp_path / "deep/archive", small.batches()[1:])
    finally:
        os.umask(old)
    files = [path for path in (tmp_path / "deep").rglob("*") if path.name != ".lock"]
    assert files
    assert all(path.stat().st_mode & (0o005 if path.is_dir() else 0o004) for path in files)


def test_pixels_are_never_cast_silently(small: ModuleType, tmp_path: Path) -> None:
    band = small.REFLECTANCE.bands[0]
    wide = np.full((small.GRID.height, small.GRID.width), 70000, dtype=np.int32)
    with pytest.raises(ValueError, match="pixels are int32, the band is uint16"):
        write_cog(tmp_path / "x.tif", wide, band=band, grid=small.GRID, tags={})
    with pytest.raises(ValueError, match="the grid is"):
        write_cog(tmp_path / "x.tif", wide[:5].astype(np.uint16), band=band, grid=small.GRID, tags={})
    assert list(tmp_path.iterdir()) == []


def test_a_broken_catalogue_is_told(small: ModuleType, tmp_path: Path) -> None:
    fill(tmp_path, small.batches())
    (tmp_path / "odd-grid/collection.json").write_text("{")
    with pytest.raises(ArchiveBroken, match="is not JSON"):
        Catalogue(tmp_path).collections()
    (tmp_path / "odd-grid/collection.json").unlink()
    with pytest.raises(ArchiveBroken, match="not there"):
        Catalogue(tmp_path).collections()
    for text in ("[]", "{}", '{"links": 1}', '{"links": [{"rel": "child"}]}'):
        (tmp_path / "catalog.json").write_text(text)
        with pytest.raises(ArchiveBroken, match=r"catalog\.json is not"):
            Catalogue(tmp_path).collections()
