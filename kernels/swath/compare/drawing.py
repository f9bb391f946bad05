"""A picture of where two rasters or pictures differ: gathered block by block, in the size of a thumbnail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Longest side of the picture, in pixels; larger rasters are thinned, and a cell shows the worst of its pixels.
_LONGEST = 768
#: Smaller rasters are drawn with larger pixels, up to about this.
_SHORTEST = 256
_NOTHING, _SAME, _WITHIN, _BEYOND, _LOST = range(5)
_COLOURS = {
    _NOTHING: (0, 0, 0, 0),
    _SAME: (228, 230, 233, 255),
    _WITHIN: (158, 202, 225, 255),
    _LOST: (106, 81, 163, 255),
}
_NEAR, _FAR = (254, 217, 118), (165, 0, 38)


class Canvas:
    """Grey: the same; blue: within the tolerance; yellow to red: beyond it, red the furthest; violet: on one side only.

    Parameters
    ----------
    height, width
        Of what is compared, in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        import numpy

        self._step = max(1, -(-max(height, width) // _LONGEST))
        shape = -(-height // self._step), -(-width // self._step)
        self._level = numpy.zeros(shape, dtype="uint8")
        self._distance = numpy.zeros(shape, dtype="float64")

    def take(self, at: tuple[int, int], *, either: Any, unequal: Any, beyond: Any, lost: Any, distance: Any) -> None:
        """Add one block.

        Parameters
        ----------
        at
            Row and column of its first pixel.
        either, unequal, beyond, lost
            Where there is anything to compare, where it is not equal, where it is too far apart, and where only one
            side has a value.
        distance
            How far apart; NaN where that has no meaning.
        """
        import numpy

        level = numpy.where(either, _SAME, _NOTHING).astype("uint8")
        level[unequal] = _WITHIN
        level[beyond] = _BEYOND
        level[lost] = _LOST
        worst_of(self._level, level, at, step=self._step)
        far = numpy.where(beyond, numpy.nan_to_num(distance, nan=numpy.inf, posinf=numpy.inf), 0.0)
        worst_of(self._distance, far, at, step=self._step)

    def take_same(self, at: tuple[int, int], either: Any) -> None:
        """Add a block in which both sides are the same."""
        worst_of(self._level, either.astype("uint8"), at, step=self._step)

    def save(self, folder: Path, name: str) -> str | None:
        """Write ``<name>.png`` into `folder`, which is made if need be, and return that file's name.

        ``None`` where it cannot be written: what was found stands without a picture.
        """
        from PIL import Image

        try:
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.pixels()).save(folder / f"{name}.png", format="PNG", optimize=True)
        except OSError:
            return None
        return f"{name}.png"

    def pixels(self) -> Any:
        """The picture as an array (row, column, RGBA)."""
        import numpy

        image = numpy.zeros((*self._level.shape, 4), dtype="uint8")
        for level, colour in _COLOURS.items():
            image[self._level == level] = colour
        beyond = self._level == _BEYOND
        finite = self._distance[beyond & numpy.isfinite(self._distance)]
        top = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
        share = numpy.sqrt(numpy.clip(numpy.nan_to_num(self._distance / top, posinf=1.0), 0, 1))[beyond, None]
        image[beyond, :3] = numpy.asarray(_NEAR) * (1 - share) + numpy.asarray(_FAR) * share
        image[beyond, 3] = 255
        larger = max(1, _SHORTEST // max(self._level.shape))
        return image.repeat(larger, axis=0).repeat(larger, axis=1)


def worst_of(target: Any, block: Any, at: tuple[int, int], *, step: int) -> None:
    """Raise the cells of `target`, each of `step` x `step` pixels, to the greatest of the block that begins at `at`."""
    import numpy

    places = []
    for axis in (0, 1):
        cells = numpy.arange(at[axis], at[axis] + block.shape[axis]) // step
        starts = numpy.flatnonzero(numpy.diff(cells, prepend=-1))
        block = numpy.maximum.reduceat(block, starts, axis=axis)
        places.append(cells[starts])
    where = numpy.ix_(*places)
    target[where] = numpy.maximum(target[where], block)
