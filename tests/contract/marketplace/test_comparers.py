"""What every comparer promises: the fake one and the sandbox of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin
from swath.contract.comparison import Tolerance, Verdict
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import Comparer, ComparerUnavailable, Pair
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.testing import given_up
from swath_sandbox import UidRegistry

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
HERE = Environment(name="eo", title="EO", lock_sha256="0" * 64, python=sys.executable, editable=True)


def _sandbox(folder: Path, environment: Environment | None = HERE) -> SandboxComparer:
    return SandboxComparer(
        environment=lambda: environment,
        uids=UidRegistry(folder / "uids" / "uids.json"),
        scratch=folder / "comparisons",
        settings=ComparerSettings(allow=given_up()),
    )


@pytest.fixture(params=["fake", pytest.param("sandbox", marks=pytest.mark.integration)])
def comparer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Comparer]:
    if request.param == "fake":
        yield FakeComparer()
        return
    yield _sandbox(tmp_path)
    assert not list((tmp_path / "comparisons").glob("*")), "nothing is left behind"
    assert not UidRegistry(tmp_path / "uids" / "uids.json").held()


def _raster(path: Path, value: float, **options: Any) -> Path:
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "float32", "crs": "EPSG:32631"}
    transform = from_origin(500_000, 5_000_000, 10, 10)
    with rasterio.open(path, "w", **profile, transform=transform, **options) as file:
        file.write(numpy.full((1, 8, 8), value, dtype="float32"))
    path.chmod(0o600)
    return path


def _pair(name: str, expected: Path, found: Path, **more: Any) -> Pair:
    return Pair(name=name, expected=expected, found=found, media_type=COG, **more)


def test_every_pair_is_answered_by_its_name_in_order(comparer: Comparer, tmp_path: Path) -> None:
    one, other = _raster(tmp_path / "one.tif", 1), _raster(tmp_path / "other.tif", 2)
    pairs = [_pair("changed", one, other), _pair("same", one, one), _pair("gone", one, tmp_path / "gone.tif")]
    before = {path: path.read_bytes() for path in (one, other)}
    found = comparer.compare(pairs, pictures=tmp_path / "pictures")
    assert list(found) == ["changed", "same", "gone"]
    assert [each.verdict for each in found.values()] == [Verdict.DIFFERS, Verdict.IDENTICAL, Verdict.INCOMPARABLE]
    assert {each.kind for each in found.values()} == {"raster"}
    assert found["changed"].picture == "changed.png"
    assert (tmp_path / "pictures" / "changed.png").read_bytes().startswith(b"\x89PNG")
    assert found["same"].picture is None
    assert all(each.message for each in found.values())
    assert comparer.compare(pairs, pictures=tmp_path / "again") == found, "a call may be repeated"
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_folder_there_are_no_pictures(comparer: Comparer, tmp_path: Path) -> None:
    pair = _pair("changed", _raster(tmp_path / "one.tif", 1), _raster(tmp_path / "other.tif", 2))
    assert comparer.compare([pair])["changed"].picture is None


def test_no_pairs_are_no_work(comparer: Comparer) -> None:
    assert comparer.compare([]) == {}


def test_the_same_bytes_are_identical_without_an_environment(tmp_path: Path) -> None:
    one = _raster(tmp_path / "one.tif", 1)
    comparer = _sandbox(tmp_path, environment=None)
    assert comparer.compare([_pair("same", one, one)])["same"].verdict is Verdict.IDENTICAL
    with pytest.raises(ComparerUnavailable, match="no environment"):
        comparer.compare([_pair("changed", one, _raster(tmp_path / "other.tif", 2))])


def test_a_fake_says_what_a_test_wants(tmp_path: Path) -> None:
    one = _raster(tmp_path / "one.tif", 1)
    fake = FakeComparer()
    said = fake.compare([_pair("x", one, _raster(tmp_path / "other.tif", 2))])["x"]
    fake.scripted["x"] = said
    assert fake.compare([_pair("x", one, one, tolerance=Tolerance(atol=1))])["x"] is said
    assert [len(call) for call in fake.calls] == [1, 1]
    fake.fail = "no sandbox"
    with pytest.raises(ComparerUnavailable, match="no sandbox"):
        fake.compare([])
