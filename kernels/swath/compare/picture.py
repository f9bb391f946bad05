"""Pictures, pixel by pixel: the same picture may be compressed otherwise, and by another program."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy
from PIL import Image, UnidentifiedImageError

from swath.compare import sheet
from swath.compare.drawing import Canvas
from swath.compare.files import Job
from swath.compare.limits import MAX_PICTURE_PIXELS, CannotCompare
from swath.compare.numeric import apart
from swath.compare.tally import Tally
from swath.contract.comparison import MAX_DIFFERENCES, Comparison, Sides, Tolerance

_FORMATS = ("PNG", "JPEG")
_ROWS = 256


def compare(job: Job) -> Comparison:
    """Compare two pictures; distances are those of a channel, 0 to 255, or to 65,535 where there are 16 bits."""
    expected, found = read(job.expected, "the expected file"), read(job.found, "the found file")
    tally = Tally("picture", compared="pixels")
    canvas = compare_arrays(tally, expected, found, job.tolerance)
    if canvas and job.pictures and tally.differing:
        tally.picture = canvas.save(job.pictures, job.name)
        # Of 8 bits with an alpha: what `read` makes of all pictures but deep ones, which are no colours.
        if expected.shape[2] == 4 and sheet.save(
            job.pictures, job.name, [sheet.thinned(one) for one in (expected, found, canvas.pixels())]
        ):
            tally.sides = Sides()
    return tally.comparison(job.tolerance)


def read(source: Path | bytes, which: str) -> Any:
    """The picture as an array (row, column, channel).

    Raises
    ------
    CannotCompare
    """
    with warnings.catch_warnings():
        # Its size is checked here, before a pixel is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=_FORMATS) as image:
                return _decoded(image, which)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise CannotCompare(f"{which} cannot be read as a picture: {error}") from error


def _decoded(image: Any, which: str) -> Any:
    if image.width * image.height > MAX_PICTURE_PIXELS:
        raise CannotCompare(f"{which} has {image.width:,} x {image.height:,} pixels; that is too large a picture")
    if getattr(image, "n_frames", 1) > 1:
        raise CannotCompare(f"{which} is animated")
    if image.mode.startswith("I") or image.mode == "F":
        return numpy.asarray(image)[..., None]
    return numpy.asarray(image.convert("RGBA"))


def compare_arrays(tally: Tally, expected: Any, found: Any, tolerance: Tolerance, *, where: str = "") -> Canvas | None:
    """Add what differs; a pixel counts once, by its channel that is furthest apart. ``None``: of other sizes."""
    if expected.shape != found.shape or expected.dtype.kind != found.dtype.kind:
        tally.reshape(f"{where}size", *(_size(one) for one in (expected, found)))
        return None
    canvas = Canvas(*expected.shape[:2])
    tally.compared += expected.shape[0] * expected.shape[1]
    for row in range(0, expected.shape[0], _ROWS):
        mine, other = expected[row : row + _ROWS], found[row : row + _ROWS]
        two = apart(mine, other, tolerance)
        unequal, beyond, distance = two.unequal.any(axis=2), two.beyond.any(axis=2), two.distance.max(axis=2)
        everywhere = numpy.ones(unequal.shape, dtype=bool)
        canvas.take((row, 0), either=everywhere, unequal=unequal, beyond=beyond, lost=~everywhere, distance=distance)
        if not unequal.any():
            continue
        tally.exact = False
        tally.saw(float(distance.max()))
        tally.differing += int(beyond.sum())
        places = numpy.flatnonzero(beyond & (distance > tally.least_kept))
        if len(places) > MAX_DIFFERENCES:
            furthest = numpy.argpartition(-distance.ravel()[places], MAX_DIFFERENCES)[:MAX_DIFFERENCES]
            places = numpy.sort(places[furthest])
        for place in places:
            down, right = divmod(int(place), beyond.shape[1])
            first, second = (" ".join(map(str, side[down, right].tolist())) for side in (mine, other))
            tally.add(f"{where}row {row + down}, column {right}", first, second, distance[down, right].item())
    return canvas


def _size(picture: Any) -> str:
    depth = 8 * picture.dtype.itemsize
    return f"{picture.shape[1]} x {picture.shape[0]} pixels, {picture.shape[2]} x {depth} bits"
