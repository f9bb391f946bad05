"""Expected, found and their difference beside each other: three small squares in one PNG, gathered block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from swath.compare.drawing import worst_of
from swath.contract.comparison import Sides

#: Side of one of the three squares, in pixels.
_SIDE = 256
#: Bands of which pictures are gathered; the first of them that differs is shown.
MAX_DRAWN_BANDS = 8
#: Dark to bright, in steps of one lightness each: read alike by those who tell no red from green, and in grey.
_RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_LOWER, _EQUAL, _HIGHER = (33, 102, 172), (240, 240, 240), (178, 24, 43)
_LOST = (90, 60, 20)


class Sheet:
    """One band of two rasters. The sides are thinned; a cell of the difference shows the furthest of all its pixels.

    Parameters
    ----------
    height, width
        Of the band, in pixels.
    band, unit
        How it is called, and what its numbers count; empty where nobody says.
    """

    def __init__(self, height: int, width: int, *, band: str, unit: str = "") -> None:
        self._step = max(1, -(-max(height, width) // _SIDE))
        shape = -(-height // self._step), -(-width // self._step)
        self._sides = numpy.full((2, *shape), numpy.nan)
        self._up, self._down = numpy.zeros(shape), numpy.zeros(shape)
        self._lost = numpy.zeros(shape, dtype="uint8")
        self._band, self._unit = band, unit
        self._raised = self._lowered = self._both = 0
        self._sum = 0.0

    @property
    def differs(self) -> bool:
        """Whether there is anything to show."""
        return bool(self._raised or self._lowered or self._lost.any())

    def take(self, at: tuple[int, int], values: tuple[Any, Any], there: tuple[Any, Any]) -> None:
        """Add one block that begins at the row and column `at`: both sides' numbers, and where they have any."""
        for side, block, valid in zip(self._sides, values, there, strict=True):
            self._sample(side, block, valid, at)
        both = there[0] & there[1]
        with numpy.errstate(invalid="ignore", over="ignore"):
            change = numpy.where(both, values[1].astype("float64") - values[0].astype("float64"), 0.0)
        change = numpy.nan_to_num(change, nan=0.0, posinf=0.0, neginf=0.0)
        self._both += int(both.sum())
        self._sum += float(change.sum())
        self._raised += int((change > 0).sum())
        self._lowered += int((change < 0).sum())
        worst_of(self._up, change, at, step=self._step)
        worst_of(self._down, -change, at, step=self._step)
        worst_of(self._lost, (there[0] ^ there[1]).astype("uint8"), at, step=self._step)

    def take_same(self, at: tuple[int, int], values: Any, there: Any) -> None:
        """Add a block that is the same on both sides."""
        for side in self._sides:
            self._sample(side, values, there, at)
        self._both += int(there.sum())

    def _sample(self, side: Any, block: Any, valid: Any, at: tuple[int, int]) -> None:
        first = [-start % self._step for start in at]
        if first[0] >= block.shape[0] or first[1] >= block.shape[1]:
            return
        thin = (slice(first[0], None, self._step), slice(first[1], None, self._step))
        cells = numpy.where(valid[thin], block[thin].astype("float64"), numpy.nan)
        row, column = ((start + skip) // self._step for start, skip in zip(at, first, strict=True))
        side[row : row + cells.shape[0], column : column + cells.shape[1]] = cells

    def save(self, folder: Path, name: str) -> Sides | None:
        """Write ``<name>.sides.png`` into `folder` and return what it shows; ``None`` where it cannot be written."""
        change = numpy.where(self._up >= self._down, self._up, -self._down)
        seen = self._sides[numpy.isfinite(self._sides)]
        # Of both together, so that one colour is one number on either side; a stray pixel does not flatten the rest.
        low, high = (float(one) for one in numpy.percentile(seen, (2, 98))) if seen.size else (0.0, 0.0)
        span = float(numpy.abs(change).max())
        numbers = low, high, span, self._sum
        if not all(numpy.isfinite(numbers)):
            return None
        there = numpy.isfinite(self._sides).any(axis=0) | (change != 0)
        parts = [*(_ramped(side, low, high) for side in self._sides), _diverging(change, span, there, self._lost)]
        if not save(folder, name, parts):
            return None
        return Sides(
            band=self._band,
            unit=self._unit,
            low=low,
            high=high,
            span=span,
            mean=self._sum / self._both if self._both else 0.0,
            raised=self._raised,
            lowered=self._lowered,
        )


def thinned(pixels: Any) -> Any:
    """A picture (row, column, channel) of 8 bits as one part of a sheet."""
    step = max(1, -(-max(pixels.shape[:2]) // _SIDE))
    return pixels[::step, ::step]


def save(folder: Path, name: str, parts: list[Any]) -> bool:
    """Write three parts, each (row, column, 4), as squares in a row; whether that went well."""
    sheet = numpy.zeros((_SIDE, 3 * _SIDE, 4), dtype="uint8")
    for place, part in enumerate(parts):
        larger = max(1, _SIDE // max(part.shape[:2]))
        drawn = part.repeat(larger, axis=0).repeat(larger, axis=1)[:_SIDE, :_SIDE]
        top, left = (_SIDE - drawn.shape[0]) // 2, place * _SIDE + (_SIDE - drawn.shape[1]) // 2
        sheet[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(folder / f"{name}.sides.png", format="PNG", optimize=True)
    except OSError:
        return False
    return True


def _ramped(values: Any, low: float, high: float) -> Any:
    there = numpy.isfinite(values)
    share = numpy.clip((numpy.where(there, values, low) - low) / ((high - low) or 1.0), 0, 1)
    return _painted(share, numpy.linspace(0, 1, len(_RAMP)), _RAMP, there)


def _diverging(change: Any, span: float, there: Any, lost: Any) -> Any:
    # The root, because most differences are far smaller than the largest, and shall be seen too.
    share = numpy.sign(change) * numpy.sqrt(numpy.abs(change) / (span or 1.0))
    image = _painted(share, (-1.0, 0.0, 1.0), (_LOWER, _EQUAL, _HIGHER), there)
    image[(lost == 1) & (change == 0)] = (*_LOST, 255)
    return image


def _painted(share: Any, stops: Any, colours: Any, there: Any) -> Any:
    image = numpy.zeros((*share.shape, 4), dtype="uint8")
    for channel in range(3):
        image[..., channel] = numpy.interp(share, stops, [colour[channel] for colour in colours])
    image[..., 3] = numpy.where(there, 255, 0)
    return image
