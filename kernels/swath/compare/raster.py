"""GeoTIFFs, COGs and netCDF files, block by block: a raster of any size takes little memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from swath.compare.blocks import BandPair
from swath.compare.drawing import Canvas
from swath.compare.files import Job
from swath.compare.grids import check_grid
from swath.compare.kinds import Format, format_of
from swath.compare.limits import MAX_BANDS, MAX_BLOCK_BYTES, MAX_LAYERS, MAX_PIXELS, MIB, CannotCompare
from swath.compare.sheet import MAX_DRAWN_BANDS, Sheet
from swath.compare.tally import Tally
from swath.compare.wording import clean, count, number
from swath.contract.comparison import Comparison

#: Nothing but the file itself is read: no file beside it, no network, no other driver that its bytes may ask for.
_OPTIONS = {
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # Megabytes: blocks of both files, so that none is unpacked twice.
    "GDAL_CACHEMAX": 192,
    "GDAL_NUM_THREADS": "1",
    "CPL_CURL_ENABLE_VSIMEM": "NO",
    "GDAL_HTTP_MAX_RETRY": 0,
    "CPL_LOG": "/dev/null",
}
_DRIVERS = {Format.TIFF: "GTiff", Format.NETCDF: "netCDF"}
#: What is measured at a time takes some forty bytes a pixel.
_WINDOW_PIXELS = 1 << 20
#: Of all bands of a window, where a file keeps them together.
_UNPACKED_BYTES = 32 << 20


def compare(job: Job) -> Comparison:
    """Compare two rasters on one grid.

    Nodata, masks and NaN are all "no value": where both have none they are the same, however each writes it; where one
    alone has none that pixel differs. Tags, compression, overviews and block sizes do not count.
    """
    with warnings.catch_warnings(), rasterio.Env(**_OPTIONS), ExitStack() as stack:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        expected = _layers(job.expected, "the expected file", stack)
        found = _layers(job.found, "the found file", stack)
        return _compare_layers(job, expected, found)


def _layers(path: Path, which: str, stack: ExitStack) -> dict[str, Any]:
    """The datasets of a file by name; a file with one has it under the empty name."""
    driver = _DRIVERS.get(format_of(path))
    if driver is None:
        raise CannotCompare(f"{which} is neither a TIFF nor netCDF")
    try:
        whole = stack.enter_context(rasterio.open(path.absolute(), driver=driver))
        if not whole.subdatasets or (driver == "GTiff" and len(whole.subdatasets) == 1):
            layers = {"": whole}
        elif len(whole.subdatasets) > MAX_LAYERS:
            raise CannotCompare(f"{which} has {len(whole.subdatasets):,} layers")
        else:
            layers = {
                _layer_name(name, driver): stack.enter_context(rasterio.open(name, driver=driver))
                for name in whole.subdatasets
            }
    except RasterioError as error:
        raise CannotCompare(f"{which} cannot be read as a raster: {clean(str(error))}") from error
    for layer in layers.values():
        _check_layer(layer, which)
    values = sum(layer.width * layer.height * layer.count for layer in layers.values())
    if values > MAX_PIXELS:
        raise CannotCompare(f"{which} has {values:,} values; up to {MAX_PIXELS:,} are compared")
    return layers


def _layer_name(subdataset: str, driver: str) -> str:
    return f"page {subdataset.split(':')[1]}" if driver == "GTiff" else f"variable {subdataset.rpartition(':')[2]}"


def _check_layer(layer: Any, which: str) -> None:
    if not 0 < layer.count <= MAX_BANDS:
        raise CannotCompare(f"{which} has {layer.count:,} bands")
    for (rows, columns), dtype in zip(layer.block_shapes, layer.dtypes, strict=True):
        size = rows * columns * _together(layer) * _itemsize(dtype)
        if size > MAX_BLOCK_BYTES:
            raise CannotCompare(f"a block of {which} takes {size // MIB} MiB; up to {MAX_BLOCK_BYTES // MIB} are read")


def _itemsize(dtype: str) -> int:
    import numpy

    return 8 if dtype == "complex_int16" else numpy.dtype(dtype).itemsize


def _compare_layers(job: Job, expected: dict[str, Any], found: dict[str, Any]) -> Comparison:
    bands = sum(layer.count for layer in expected.values())
    tally = Tally("raster", compared="pixels" if bands == 1 else "values")
    for name in sorted(expected.keys() ^ found.keys()):
        tally.reshape(name or "raster", *("there" if name in side else None for side in (expected, found)))
    if Format.NETCDF in (format_of(job.expected), format_of(job.found)):
        # A variable along one dimension alone is not offered beside gridded ones, so nobody knows what it holds.
        tally.note("of netCDF only gridded variables were compared")
    shared = [name for name in expected if name in found]
    for name in shared:
        check_grid(expected[name], found[name])
    drawn = job.pictures is not None and shared and _one_grid(expected, shared)
    canvas = Canvas(*expected[shared[0]].shape) if drawn else None
    marks, sheets = Marks(), list[Sheet]()
    for name in shared:
        pairs = _band_pairs(tally, name, expected[name], found[name])
        if job.pictures:
            sheets += _sheets(pairs[: MAX_DRAWN_BANDS - len(sheets)])
        for window in _windows(expected[name]) if pairs else ():
            # All bands of a window, before the next: where a file keeps them together they are unpacked together.
            for pair in pairs:
                pair.compare(window, tolerance=job.tolerance, tally=tally, marks=marks, canvas=canvas)
    if canvas and job.pictures and tally.differing:
        tally.picture = canvas.save(job.pictures, job.name)
    if job.pictures and (drawn_one := next((sheet for sheet in sheets if sheet.differs), None)):
        tally.sides = drawn_one.save(job.pictures, job.name)
    return tally.comparison(job.tolerance, where=marks.sentence())


def _one_grid(layers: dict[str, Any], names: list[str]) -> bool:
    return len({layers[name].shape for name in names}) == 1


@dataclass(kw_only=True)
class Marks:
    """Where the pixels that are too far apart lie."""

    top: int = -1
    bottom: int = -1
    left: int = -1
    right: int = -1
    bands: tuple[str, ...] = ()

    def take(self, band: str, row: int, column: int, where: Any) -> None:
        """Add the pixels of a block that begins at `row` and `column`."""
        rows, columns = where.any(axis=1).nonzero()[0], where.any(axis=0).nonzero()[0]
        if not rows.size:
            return
        first = not self.bands
        self.top = row + int(rows[0]) if first else min(self.top, row + int(rows[0]))
        self.left = column + int(columns[0]) if first else min(self.left, column + int(columns[0]))
        self.bottom = max(self.bottom, row + int(rows[-1]))
        self.right = max(self.right, column + int(columns[-1]))
        if band not in self.bands:
            self.bands = (*self.bands, band)

    def sentence(self) -> str:
        """Empty when there are none."""
        if not self.bands:
            return ""
        rows = f"row {self.top}" if self.top == self.bottom else f"rows {self.top} to {self.bottom}"
        columns = f"column {self.left}" if self.left == self.right else f"columns {self.left} to {self.right}"
        named = [clean(band, longest=40) for band in self.bands[:5]]
        more = f" and {len(self.bands) - 5} more" if len(self.bands) > 5 else ""
        return f"they lie in {rows} and {columns}, in {', '.join(named)}{more}"


def _band_pairs(tally: Tally, layer: str, expected: Any, found: Any) -> list[BandPair]:
    if expected.count != found.count:
        tally.reshape(layer or "bands", count(expected.count, "band"), count(found.count, "band"))
        return []
    return [_pair(tally, expected, found, index, layer) for index in range(1, expected.count + 1)]


def _sheets(pairs: list[BandPair]) -> list[Sheet]:
    """Where `pairs` are drawn from now on; numbers of two parts are not."""
    made = []
    for pair in pairs:
        if any(dtype.startswith("complex") for dtype in pair.dtypes):
            continue
        units = {str(side.units[pair.index - 1] or "") for side in (pair.expected, pair.found)}
        pair.sheet = Sheet(*pair.expected.shape, band=clean(pair.label, longest=80), unit=_one_unit(units, pair))
        made.append(pair.sheet)
    return made


def _one_unit(units: set[str], pair: BandPair) -> str:
    """Of the numbers as they are stored: where a scale makes others of them, the unit is that of those."""
    scaled = (pair.expected.scales[pair.index - 1], pair.expected.offsets[pair.index - 1]) != (1.0, 0.0)
    return "" if len(units) > 1 or (scaled and not pair.rescaled) else clean(next(iter(units)), longest=40)


def _pair(tally: Tally, expected: Any, found: Any, index: int, layer: str) -> BandPair:
    mine, other = _label(expected, index), _label(found, index)
    if mine and other and mine != other:
        tally.reshape(f"band {index}", mine, other)
    elif mine != other:
        tally.note("one of the two does not name its bands", exact=True)
    band = f"band {mine or other or index}"
    label = f"{layer}, {band}" if layer else band
    pair = BandPair(expected=expected, found=found, index=index, label=label)
    _note_form(tally, pair)
    return pair


def _label(layer: Any, index: int) -> str:
    """What a band calls itself: its description, or the place along the dimensions that netCDF gives it."""
    named = layer.descriptions[index - 1]
    if named or layer.driver != "netCDF":
        return str(named or "")
    tags = layer.tags(index)
    dimensions = {key.removeprefix("NETCDF_DIM_"): value for key, value in tags.items() if "NETCDF_DIM_" in key}
    return ", ".join(f"{name} {value}" for name, value in sorted(dimensions.items()))


def _note_form(tally: Tally, pair: BandPair) -> None:
    if pair.dtypes[0] != pair.dtypes[1]:
        tally.note(f"numbers are kept as {pair.dtypes[1]} instead of {pair.dtypes[0]}")
    nodatas = [side.nodatavals[pair.index - 1] for side in (pair.expected, pair.found)]
    if str(nodatas[0]) != str(nodatas[1]):
        told = ["none" if value is None else number(value) for value in nodatas]
        tally.note(f"nodata is {told[1]} instead of {told[0]}", exact=True)
    if pair.rescaled:
        tally.note("scale and offset are others, so the scaled numbers were compared")


def _windows(layer: Any) -> Iterator[Window]:
    """Windows of whole blocks where blocks are small, of parts of one where they are large; see `_WINDOW_PIXELS`."""
    rows, columns = layer.block_shapes[0]
    pixels = max(1 << 16, min(_WINDOW_PIXELS, _UNPACKED_BYTES // (_together(layer) * _itemsize(layer.dtypes[0]))))
    width = min(layer.width, columns * max(1, 1024 // columns), pixels)
    height = min(layer.height, rows * max(1, pixels // (width * rows)), max(1, pixels // width))
    for row in range(0, layer.height, height):
        for column in range(0, layer.width, width):
            yield Window(column, row, min(width, layer.width - column), min(height, layer.height - row))


def _together(layer: Any) -> int:
    """How many bands are unpacked when one is read."""
    return int(layer.count) if layer.interleaving is not None and layer.interleaving.value == "PIXEL" else 1
