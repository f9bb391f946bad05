"""Pictures: the same pixels in another file, and pixels that differ."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image
from swath.compare import compare_files
from swath.contract.comparison import Tolerance, Verdict


@pytest.fixture
def pixels() -> Any:
    return numpy.random.default_rng(2).integers(0, 200, (40, 60, 3)).astype("uint8")


def _save(path: Path, pixels: Any, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def test_compression_palettes_and_an_opaque_alpha_are_encoding(tmp_path: Path, pixels: Any) -> None:
    first = _save(tmp_path / "a.png", pixels, compress_level=1)
    assert compare_files(first, _save(tmp_path / "b.png", pixels, compress_level=9)).verdict is Verdict.IDENTICAL
    opaque = numpy.dstack([pixels, numpy.full(pixels.shape[:2], 255, "uint8")])
    assert compare_files(first, _save(tmp_path / "c.png", opaque)).verdict is Verdict.IDENTICAL
    flat = numpy.zeros((9, 9, 3), "uint8")
    flat[2:5] = (200, 10, 10)
    Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "d.png")
    assert compare_files(_save(tmp_path / "e.png", flat), tmp_path / "d.png").verdict is Verdict.IDENTICAL


def test_a_pixel_counts_once_and_by_its_channel_that_is_furthest_apart(tmp_path: Path, pixels: Any) -> None:
    other = pixels.copy()
    other[7, 8] += numpy.array([3, 9, 1], dtype="uint8")
    first, second = _save(tmp_path / "a.png", pixels), _save(tmp_path / "b.png", other)
    got = compare_files(first, second, pictures=tmp_path / "drawn", name="map")
    assert (got.verdict, got.compared, got.differing, got.largest) == (Verdict.DIFFERS, 2400, 1, 9.0)
    assert got.differences[0].where == "row 7, column 8"
    assert (tmp_path / "drawn" / str(got.picture)).is_file()
    assert compare_files(first, second, tolerance=Tolerance(atol=9)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(share=1 / 2400)).verdict is Verdict.WITHIN


def test_a_picture_that_cannot_be_written_changes_no_verdict(tmp_path: Path, pixels: Any) -> None:
    (tmp_path / "drawn").write_text("a file")
    first, second = _save(tmp_path / "a.png", pixels), _save(tmp_path / "b.png", pixels[::-1])
    got = compare_files(first, second, pictures=tmp_path / "drawn")
    assert (got.verdict, got.picture) == (Verdict.DIFFERS, None)


def test_another_size_is_another_shape(tmp_path: Path, pixels: Any) -> None:
    got = compare_files(_save(tmp_path / "a.png", pixels), _save(tmp_path / "b.png", pixels[:-1]))
    assert got.verdict is Verdict.DIFFERS
    assert "60 x 39 pixels" in got.differences[0].found


def test_sixteen_bits_are_compared_as_such(tmp_path: Path) -> None:
    deep = numpy.arange(100, dtype="uint16").reshape(10, 10) * 600
    other = deep.copy()
    other[1, 1] += 1
    got = compare_files(_save(tmp_path / "a.png", deep), _save(tmp_path / "b.png", other))
    assert (got.differing, got.largest) == (1, 1.0)


def _bomb(path: Path, side: int) -> Path:
    """A PNG that claims to be huge and holds a few rows of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [20_000, 1_000_000, 2**31 - 1])
def test_a_picture_that_claims_to_be_huge_is_not_decoded(tmp_path: Path, pixels: Any, side: int) -> None:
    got = compare_files(_save(tmp_path / "a.png", pixels), _bomb(tmp_path / "b.png", side))
    assert got.verdict is Verdict.INCOMPARABLE


def test_an_animation_is_incomparable(tmp_path: Path, pixels: Any) -> None:
    frames = [Image.fromarray(numpy.roll(pixels, at, axis=0)) for at in range(2)]
    frames[0].save(tmp_path / "b.png", save_all=True, append_images=frames[1:])
    got = compare_files(_save(tmp_path / "a.png", pixels), tmp_path / "b.png")
    assert (got.verdict, got.message) == (Verdict.INCOMPARABLE, "the found file is animated")
