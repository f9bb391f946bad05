"""One band of two rasters, compared window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from swath.compare.drawing import Canvas
from swath.compare.numeric import Apart, apart
from swath.compare.sheet import Sheet
from swath.compare.tally import Tally
from swath.contract.comparison import MAX_DIFFERENCES, Tolerance

if TYPE_CHECKING:
    from swath.compare.raster import Marks


class BandPair:
    """The same band of two open datasets on one grid.

    Parameters
    ----------
    index
        1-based.
    label
        How differences name it.
    """

    def __init__(self, *, expected: Any, found: Any, index: int, label: str) -> None:
        self.expected, self.found, self.index, self.label = expected, found, index, label
        self.dtypes = expected.dtypes[index - 1], found.dtypes[index - 1]
        scalings = [(side.scales[index - 1], side.offsets[index - 1]) for side in (expected, found)]
        self.rescaled = scalings[0] != scalings[1]
        self.sheet: Sheet | None = None
        """Where both sides and their difference are drawn, if they are."""
        self._scalings = scalings if self.rescaled else [(1.0, 0.0)] * 2

    def compare(
        self, window: Window, *, tolerance: Tolerance, tally: Tally, marks: Marks, canvas: Canvas | None
    ) -> None:
        """Compare one window and add what is found."""
        mine, other = self.expected.read(self.index, window=window), self.found.read(self.index, window=window)
        there = self._valid(self.expected, mine, window), self._valid(self.found, other, window)
        either, both = there[0] | there[1], there[0] & there[1]
        lost = either & ~both
        tally.compared += int(either.sum())
        if not lost.any() and self._same_bits(mine, other):
            # Most windows of most rasters: nothing has to be measured.
            if canvas:
                canvas.take_same((int(window.row_off), int(window.col_off)), either)
            if self.sheet:
                self.sheet.take_same((int(window.row_off), int(window.col_off)), mine, either)
            return
        if self.rescaled:
            mine, other = (
                values * scale + offset for values, (scale, offset) in zip((mine, other), self._scalings, strict=True)
            )
        found = apart(mine, other, tolerance)
        unequal, beyond = found.unequal & both, found.beyond & both
        tally.exact = tally.exact and not (unequal.any() or lost.any())
        if unequal.any():
            measured = found.distance[unequal]
            measured = measured[numpy.isfinite(measured)]
            tally.saw(float(measured.max()) if measured.size else None)
        at = int(window.row_off), int(window.col_off)
        if canvas:
            canvas.take(at, either=either, unequal=unequal, beyond=beyond, lost=lost, distance=found.distance)
        if self.sheet:
            self.sheet.take(at, (mine, other), there)
        if (wrong := beyond | lost).any():
            tally.differing += int(wrong.sum())
            marks.take(self.label, *at, wrong)
            self._tell(tally, at, values=(mine, other), there=there, found=found, beyond=beyond, lost=lost)

    def _same_bits(self, mine: Any, other: Any) -> bool:
        if self.rescaled or mine.dtype != other.dtype:
            return False
        return bool((mine.view("uint8") == other.view("uint8")).all())

    def _valid(self, side: Any, values: Any, window: Window) -> Any:
        if MaskFlags.all_valid in side.mask_flag_enums[self.index - 1]:
            valid = numpy.ones(values.shape, dtype=bool)
        else:
            valid = side.read_masks(self.index, window=window) != 0
        return valid & ~numpy.isnan(values) if values.dtype.kind in "fc" else valid

    def _tell(
        self,
        tally: Tally,
        at: tuple[int, int],
        *,
        values: tuple[Any, Any],
        there: tuple[Any, Any],
        found: Apart,
        beyond: Any,
        lost: Any,
    ) -> None:
        measured = beyond & (found.distance > tally.least_kept)
        places = numpy.flatnonzero(measured)
        if len(places) > MAX_DIFFERENCES:
            far = found.distance.ravel()[places]
            places = numpy.sort(places[numpy.argpartition(-far, MAX_DIFFERENCES)[:MAX_DIFFERENCES]])
        odd = numpy.flatnonzero(lost | (beyond & numpy.isnan(found.distance)))[:MAX_DIFFERENCES]
        for place in (*places, *odd):
            row, column = numpy.unravel_index(place, beyond.shape)
            mine, other = (
                str(side[row, column]) if valid[row, column] else "nodata"
                for side, valid in zip(values, there, strict=True)
            )
            distance = found.distance[row, column].item() if both_there(there, row, column) else None
            where = f"{self.label}, row {at[0] + row}, column {at[1] + column}"
            tally.add(where, mine, other, distance)


def both_there(there: tuple[Any, Any], row: int, column: int) -> bool:
    """Whether both sides have a value at a pixel."""
    return bool(there[0][row, column] and there[1][row, column])
