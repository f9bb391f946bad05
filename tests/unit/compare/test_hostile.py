"""Files that are broken, huge, or meant to do harm: each is answered, soon, with a reason."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy
import pandas
import pytest
import rasterio
import shapely
from PIL import Image
from swath.compare import archives, compare_files, features, frames, raster, vector
from swath.compare.__main__ import main
from swath.compare.jobs import CompareJob, FilePair, Limits, run
from swath.contract.comparison import Verdict
from swath.contract.fields import ContractError

WriteRaster = Callable[..., Path]


@pytest.fixture
def good(write_raster: WriteRaster, write_json: Any, tmp_path: Path) -> dict[str, Path]:
    """One good file of each kind."""
    values = numpy.random.default_rng(3).random((64, 64)).astype("float32")
    table = pandas.DataFrame({"n": range(500), "v": values.ravel()[:500], "t": ["text"] * 500})
    table.to_parquet(tmp_path / "good.parquet")
    table.to_csv(tmp_path / "good.csv")
    points = geopandas.GeoDataFrame(table, geometry=[shapely.Point(at, 1) for at in range(500)], crs="EPSG:4326")
    points.head(50).to_file(tmp_path / "good.gpkg")
    points.head(50).to_file(tmp_path / "good.geojson")
    Image.fromarray((values * 255).astype("uint8")).save(tmp_path / "good.png")
    Image.fromarray((values * 255).astype("uint8")).save(tmp_path / "good.jpg")
    with zipfile.ZipFile(tmp_path / "good.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", "x" * 5000)
    write_json("good", {"n": list(range(200))})
    write_json("good", {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}, ".ipynb")
    write_raster("good", values, compress="deflate", predictor=3)
    return {path.suffix[1:]: path for path in tmp_path.glob("good.*")}


def test_damaged_files_of_every_kind_are_answered(good: dict[str, Path], tmp_path: Path) -> None:
    """Cut short, and with bytes changed, at random places; in processes of their own, as a service does it."""
    chance, pairs = random.Random(7), []
    for suffix, path in good.items():
        content = path.read_bytes()
        for number in range(6):
            damaged = bytearray(content[: chance.randrange(len(content))] if number < 3 else content)
            for _ in range(0 if number < 3 else 3):
                damaged[chance.randrange(len(damaged))] ^= chance.randrange(1, 256)
            broken = tmp_path / f"broken-{suffix}-{number}.{suffix}"
            broken.write_bytes(damaged)
            pairs.append(FilePair(name=f"{suffix}-{number}", expected=path, found=broken))
    found = run(CompareJob(pairs=pairs, limits=Limits(seconds=20)))
    assert len(found) == len(pairs)
    for name, one in found.items():
        assert one.message, name
        assert "brought the program down" not in one.message, (name, one.message)
        assert "took more than" not in one.message, (name, one.message)
    cut = [one for name, one in found.items() if name[-1] in "012" and name.split("-")[0] not in ("csv", "geojson")]
    assert not any(one.verdict.same for one in cut), "nothing of which a part is missing is the same"


def test_a_raster_that_claims_to_be_huge_is_not_read(write_raster: WriteRaster, tmp_path: Path) -> None:
    first, huge = write_raster("a", numpy.zeros((8, 8), "uint8")), tmp_path / "huge.tif"
    profile: dict[str, Any] = {"driver": "GTiff", "count": 1, "dtype": "uint8", "sparse_ok": True, "tiled": True}
    with rasterio.open(huge, "w", width=300_000, height=300_000, compress="deflate", **profile):
        pass
    assert huge.stat().st_size < 20_000_000
    got = compare_files(huge, huge.with_name("a.tif"))
    assert got.verdict is Verdict.INCOMPARABLE
    assert "values; up to" in got.message
    assert compare_files(first, huge).verdict is Verdict.INCOMPARABLE


def test_a_block_that_would_not_fit_into_memory_is_not_read(
    write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "MAX_BLOCK_BYTES", 1 << 20)
    zeros = numpy.zeros((1500, 1500), "uint8")
    got = compare_files(write_raster("a", zeros), write_raster("b", zeros, blockysize=1500, compress="deflate"))
    assert got.verdict is Verdict.INCOMPARABLE
    assert "a block of the found file" in got.message


@pytest.mark.parametrize(
    "content",
    [
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        "/vsicurl/http://127.0.0.1/secret.tif",
        '<GDAL_WMS><Service name="WMS"><ServerUrl>http://127.0.0.1/</ServerUrl></Service></GDAL_WMS>',
    ],
)
def test_a_file_that_points_elsewhere_is_not_followed(write_raster: WriteRaster, tmp_path: Path, content: str) -> None:
    first = write_raster("a", numpy.zeros((8, 8), "uint8"))
    (tmp_path / "b.tif").write_text(content)
    got = compare_files(first, tmp_path / "b.tif")
    assert (got.verdict, got.message) == (Verdict.INCOMPARABLE, "the found file is neither a TIFF nor netCDF")


def test_files_beside_a_raster_are_not_read(write_raster: WriteRaster, tmp_path: Path) -> None:
    values = numpy.arange(64, dtype="uint8").reshape(8, 8)
    first, second = write_raster("a", values), write_raster("b", values, compress="lzw")
    (tmp_path / "b.tif.aux.xml").write_text(
        "<PAMDataset><SRS>EPSG:4326</SRS>"
        "<PAMRasterBand band='1'><NoDataValue>5</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    assert compare_files(first, second).verdict is Verdict.IDENTICAL


def test_what_unpacks_to_more_than_allowed_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1 << 20)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    for name, members in (("a", 1), ("bomb", 2), ("many", 6)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for member in range(members):
                file.writestr(str(member), "\0" * (600_000 if name == "bomb" else 1))
    bomb = compare_files(tmp_path / "a.zip", tmp_path / "bomb.zip")
    assert (bomb.verdict, "unpacks to more" in bomb.message) == (Verdict.INCOMPARABLE, True)
    many = compare_files(tmp_path / "a.zip", tmp_path / "many.zip")
    assert (many.verdict, "6 members" in many.message) == (Verdict.INCOMPARABLE, True)


def test_a_table_whose_rows_cost_nothing_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas.DataFrame({"n": [1]}).to_parquet(tmp_path / "a.parquet")
    pandas.DataFrame({"n": numpy.zeros(2_000_000, "int8")}).to_parquet(tmp_path / "b.parquet")
    assert (tmp_path / "b.parquet").stat().st_size < 10_000
    monkeypatch.setattr(frames, "MAX_CELLS", 1_000_000)
    got = compare_files(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert got.verdict is Verdict.INCOMPARABLE
    assert "2,000,000 rows" in got.message
    (tmp_path / "wide.csv").write_text(",".join("abc" for _ in range(6_000)) + "\n")
    (tmp_path / "c.csv").write_text("n\n1\n")
    assert "columns" in compare_files(tmp_path / "c.csv", tmp_path / "wide.csv").message


def test_vectors_that_would_take_too_long_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        line = shapely.LineString(numpy.random.default_rng(seed).random((400, 2)))
        geopandas.GeoDataFrame(geometry=[line], crs="EPSG:4326").to_file(tmp_path / f"{name}.gpkg")
    monkeypatch.setattr(vector, "MAX_VERTEX_PAIRS", 100_000)
    got = compare_files(tmp_path / "a.gpkg", tmp_path / "b.gpkg")
    assert (got.verdict, "pairs of points" in got.message) == (Verdict.INCOMPARABLE, True)
    monkeypatch.setattr(features, "MAX_FEATURES", 0)
    assert "features" in compare_files(tmp_path / "a.gpkg", tmp_path / "b.gpkg").message


def test_a_file_of_another_kind_than_it_says_is_incomparable(good: dict[str, Path], tmp_path: Path) -> None:
    for suffix, path in good.items():
        wrong = tmp_path / f"wrong.{suffix}"
        wrong.write_bytes(good["tif" if suffix in ("png", "jpg") else "png"].read_bytes())
        assert compare_files(path, wrong).verdict is Verdict.INCOMPARABLE, suffix


def test_what_is_no_plain_file_is_not_opened(good: dict[str, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    for path, said in (
        (tmp_path / "pipe.tif", "is no plain file"),
        (tmp_path, "is no plain file"),
        (tmp_path / "x.tif", "is missing"),
    ):
        got = compare_files(good["tif"], path)
        assert (got.verdict, got.message) == (Verdict.INCOMPARABLE, f"the found file {said}")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"seconds": 0.1, "memory_bytes": 4 << 30}, "more than 0.1 s"),
        ({"seconds": 60, "memory_bytes": 1 << 29}, "memory"),
    ],
    ids=["time", "memory"],
)
def test_a_pair_that_takes_too_long_or_too_much_takes_no_other_along(
    good: dict[str, Path], tmp_path: Path, limits: dict[str, float], said: str
) -> None:
    rows = numpy.arange(6_000_000)
    for name, factor in (("a", 0.5), ("b", 0.25)):
        pandas.DataFrame({"n": rows, "v": rows * factor}).to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "c.json").write_text(json.dumps({"n": list(range(200))}, indent=2))
    pairs = [
        {"name": "large", "expected": str(tmp_path / "a.parquet"), "found": str(tmp_path / "b.parquet")},
        {"name": "small", "expected": str(good["json"]), "found": str(tmp_path / "c.json")},
    ]
    (tmp_path / "job.json").write_text(json.dumps({"pairs": pairs, "limits": limits}))
    # A process of its own: what this one has mapped would count.
    command = [sys.executable, "-m", "swath.compare", str(tmp_path / "job.json"), str(tmp_path / "answer.json")]
    subprocess.run(command, check=True, timeout=120)
    found = json.loads((tmp_path / "answer.json").read_text())["comparisons"]
    assert found["large"]["verdict"] == "incomparable"
    assert said in found["large"]["message"]
    assert found["small"]["verdict"] == "identical"


def test_a_reader_that_crashes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name)
    monkeypatch.setattr("swath.compare.jobs.compare_files", lambda *_, **__: os.kill(os.getpid(), signal.SIGSYS))
    pair = FilePair(name="x", expected=tmp_path / "a.txt", found=tmp_path / "b.txt")
    got = run(CompareJob(pairs=[pair]))["x"]
    assert (got.verdict, "SIGSYS" in got.message) == (Verdict.INCOMPARABLE, True)


def test_the_program_reads_a_job_and_writes_an_answer(good: dict[str, Path], tmp_path: Path) -> None:
    job = {
        "pairs": [
            {"name": "same", "expected": str(good["tif"]), "found": str(good["tif"]), "media_type": "image/tiff"},
            {
                "name": "none",
                "expected": str(good["csv"]),
                "found": str(tmp_path / "none.csv"),
                "media_type": "text/csv",
            },
        ]
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    assert main([str(tmp_path / "job.json"), str(tmp_path / "answer.json")]) == 0
    answer = json.loads((tmp_path / "answer.json").read_text())["comparisons"]
    assert {name: one["verdict"] for name, one in answer.items()} == {"same": "identical", "none": "incomparable"}


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({}, "job.pairs: missing"),
        ({"pairs": [{"name": "../x", "expected": "a", "found": "b"}]}, "pair.name"),
        ({"pairs": [{"name": "x", "expected": "a", "found": "b", "tolerance": {"rtol": -1}}]}, "tolerance.rtol"),
        ({"pairs": [{"name": "x", "expected": "a", "found": "b", "tolerance": {"share": 2}}]}, "tolerance.share"),
        ({"pairs": [{"name": "x", "expected": "a", "found": "b"}] * 2}, "two of one name"),
        ({"pairs": [], "limits": {"memory_bytes": 1, "seconds": 1}}, "memory_bytes"),
    ],
)
def test_a_job_that_is_none_names_the_member(
    tmp_path: Path, job: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ContractError, match=said):
        CompareJob.from_dict(job)
    (tmp_path / "job.json").write_text(json.dumps(job))
    assert main([str(tmp_path / "job.json"), str(tmp_path / "answer.json")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "answer.json").exists()
    assert main([]) == 2
