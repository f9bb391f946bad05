"""The comparer in its sandbox: what it reads of hostile files, and what it believes of what comes out."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import rasterio
from rasterio.transform import from_origin
from swath.contract.comparison import Tolerance, Verdict
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import ComparerUnavailable, Pair
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.testing import given_up
from swath_sandbox import UidRegistry

pytestmark = pytest.mark.integration
Make = Callable[..., SandboxComparer]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*, python: str = sys.executable, editable: bool = True, **settings: Any) -> SandboxComparer:
        environment = Environment(name="eo", title="EO", lock_sha256="0" * 64, python=python, editable=editable)
        return SandboxComparer(
            environment=lambda: environment,
            uids=UidRegistry(tmp_path / "uids" / "uids.json"),
            scratch=tmp_path / "comparisons",
            settings=ComparerSettings(allow=given_up(), **settings),
        )

    return make


def _raster(path: Path, values: Any) -> Path:
    height, width = values.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": values.dtype.name}
    with rasterio.open(
        path, "w", **profile, crs="EPSG:32631", transform=from_origin(500_000, 5_000_000, 10, 10), compress="deflate"
    ) as file:
        file.write(values[None])
    return path


def _pair(name: str, expected: Path, found: Path, media_type: str, **tolerance: Any) -> Pair:
    return Pair(name=name, expected=expected, found=found, media_type=media_type, tolerance=Tolerance(**tolerance))


def test_hostile_files_are_answered_and_good_ones_beside_them_compared(make: Make, tmp_path: Path) -> None:
    values = numpy.random.default_rng(1).random((50, 50)).astype("float32")
    good, other = _raster(tmp_path / "good.tif", values), values.copy()
    other[7, 9] += 1
    moved = _raster(tmp_path / "moved.tif", other)
    (tmp_path / "cut.tif").write_bytes(good.read_bytes()[:3000])
    (tmp_path / "vrt.tif").write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="50"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with rasterio.open(
        tmp_path / "huge.tif", "w", driver="GTiff", width=200_000, height=200_000, count=1, dtype="uint8",
        sparse_ok=True, tiled=True, compress="deflate",
    ):  # fmt: skip
        pass
    (tmp_path / "one.json").write_text("{}")
    (tmp_path / "deep.json").write_text("[" * 3_000_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a", "a")
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    tiff, document = "image/tiff; application=geotiff", "application/json"
    found = make(pair_seconds=30).compare(
        [
            _pair("good", good, moved, tiff),
            _pair("near", good, moved, tiff, atol=1.5),
            _pair("cut", good, tmp_path / "cut.tif", tiff),
            _pair("vrt", good, tmp_path / "vrt.tif", tiff),
            _pair("huge", good, tmp_path / "huge.tif", tiff),
            _pair("deep", tmp_path / "one.json", tmp_path / "deep.json", document),
            _pair("zip", tmp_path / "a.zip", tmp_path / "b.zip", "application/zip"),
            _pair("liar", tmp_path / "one.json", good, document),
        ],
        pictures=tmp_path / "pictures",
    )
    assert found["good"].verdict is Verdict.DIFFERS
    assert found["good"].differences[0].where == "band 1, row 7, column 9"
    assert found["near"].verdict is Verdict.WITHIN
    assert {name for name, one in found.items() if one.verdict is Verdict.INCOMPARABLE} == {
        "cut", "vrt", "huge", "deep", "zip", "liar",
    }  # fmt: skip
    drawn = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert drawn == {"good.png", "good.sides.png", "near.sides.png"}, "both sides also where they are near enough"


def test_a_comparison_that_takes_too_long_or_too_much_memory_is_incomparable(make: Make, tmp_path: Path) -> None:
    rows = numpy.arange(4_000_000)
    for name, factor in (("a", 0.5), ("b", 0.25)):
        pandas.DataFrame({"n": rows, "v": rows * factor}).to_parquet(tmp_path / f"{name}.parquet")
    pair = _pair("large", tmp_path / "a.parquet", tmp_path / "b.parquet", "application/vnd.apache.parquet")
    slow = make(pair_seconds=0.1).compare([pair])["large"]
    assert (slow.verdict, "more than 0.1 s" in slow.message) == (Verdict.INCOMPARABLE, True)
    if not given_up():
        large = make(memory_bytes=220 << 20).compare([pair])["large"]
        assert (large.verdict, "memory" in large.message) == (Verdict.INCOMPARABLE, True)


def _impostor(tmp_path: Path, body: str) -> str:
    """An interpreter that runs `body` in place of the library: what a library would do that a file took over."""
    script = tmp_path / "impostor" / "bin" / "python"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!/usr/bin/python3 -I\nimport json, os, socket, sys\njob, answer = sys.argv[-2:]\n{body}\n")
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name)
    return _pair("x", tmp_path / "a.txt", tmp_path / "b.txt", "text/plain")


@pytest.mark.parametrize(
    "body",
    [
        "os.symlink('/etc/passwd', answer)",
        "os.mkfifo(answer)",
        "open(answer, 'w').write('[' * 1_000_000)",
        "open(answer, 'w').write('{\"comparisons\": 7}')",
        "open(answer, 'w').truncate(1 << 24)",
        "json.dump({'comparisons': {'y': {}}}, open(answer, 'w'))",
        "json.dump({'comparisons': {'x': {'verdict': 'fine', 'kind': 'text', 'message': ''}}}, open(answer, 'w'))",
        "json.dump({'comparisons': {'x': {'verdict': 'identical', 'kind': 'x' * 99, 'message': '', 'compared': 1, "
        "'differing': 0, 'largest': None, 'differences': [], 'picture': None}}}, open(answer, 'w'))",
        "sys.exit(0)",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_an_answer_that_is_none_says_nothing(make: Make, tmp_path: Path, pair: Pair, body: str) -> None:
    got = make(python=_impostor(tmp_path, body), editable=False).compare([pair])["x"]
    assert got.verdict is Verdict.INCOMPARABLE


def test_a_picture_is_taken_under_its_own_name_and_as_a_plain_file_alone(
    make: Make, tmp_path: Path, pair: Pair
) -> None:
    said = {
        "verdict": "differs", "kind": "text", "message": "a\u001b[2J", "compared": 1, "differing": 1, "largest": None,
        "differences": [{"where": "w" * 900, "expected": "\n", "found": "f", "distance": None}] * 50,
    }  # fmt: skip
    for picture, made in (
        ("../../x.png", "open(folder + '/x.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n')"),
        ("x.png", "os.symlink('/etc/passwd', folder + '/x.png')"),
        ("x.png", "open(folder + '/x.png', 'w').write('<html>')"),
    ):
        answer = json.dumps({"comparisons": {"x": {**said, "picture": picture}}})
        body = "folder = os.path.dirname(answer) + '/pictures'\nos.mkdir(folder)\n"
        body += f"{made}\nopen(answer, 'w').write({answer!r})"
        got = make(python=_impostor(tmp_path, body), editable=False).compare([pair], pictures=tmp_path / "pictures")[
            "x"
        ]
        assert got.verdict is Verdict.DIFFERS
        assert got.picture is None
        assert not (tmp_path / "pictures").exists()
        assert got.message == "a\ufffd[2J"
        assert (len(got.differences), len(got.differences[0].where)) == (20, 300)


def test_nothing_of_the_host_is_in_reach(make: Make, tmp_path: Path, pair: Pair) -> None:
    (tmp_path / "secret").write_text("s3cret")
    body = f"""
def tried(act):
    try:
        act()
        return "reached"
    except OSError:
        return "refused"
given = json.load(open(job))["pairs"][0]
found = [
    tried(lambda: open({str(tmp_path / "secret")!r})),
    tried(lambda: open(given["found"], "a")),
    tried(lambda: open(os.path.dirname(job) + "/new", "w")),
    tried(lambda: socket.create_connection(("127.0.0.1", 22), 1)),
    tried(lambda: os.setuid(0)) if os.getuid() else "root",
    "tokens" if [name for name in os.environ if "TOKEN" in name] else "refused",
]
json.dump({{"comparisons": {{"x": {{"verdict": "differs", "kind": "text", "message": " ".join(found), "compared": 1,
    "differing": 1, "largest": None, "differences": [], "picture": None}}}}}}, open(answer, "w"))
"""
    got = make(python=_impostor(tmp_path, body), editable=False).compare([pair])["x"]
    assert got.message == " ".join(["refused"] * 6)


def test_an_environment_without_the_library_is_no_ones_fault_but_the_platforms(
    make: Make, tmp_path: Path, pair: Pair
) -> None:
    body = "sys.exit('No module named swath.compare')"
    with pytest.raises(ComparerUnavailable, match=r"exit code 1: No module named swath\.compare"):
        make(python=_impostor(tmp_path, body), editable=False).compare([pair])
    with pytest.raises(ComparerUnavailable):
        make(python=str(tmp_path / "none" / "bin" / "python")).compare([pair])


def test_what_a_killed_service_left_is_swept_later(make: Make, tmp_path: Path) -> None:
    import os

    comparer = make()
    old, young = tmp_path / "comparisons" / "old", tmp_path / "comparisons" / "young"
    for folder in (old, young):
        (folder / "warden").mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    comparer.sweep()
    assert (old.exists(), young.exists()) == (False, True)
