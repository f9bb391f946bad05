"""Processing units (PU): what a synchronous request for imagery counts.

Source of the formula and of the golden vectors: the Copernicus Data Space Ecosystem's (Sentinel Hub's) documentation of
processing units::

    PU = max(0.01, W x H / 512^2) x bands / 3 x format x samples x orthorectification x speckle

The least of 0.01 is that of the area's term, before the other factors: 20 x 20 pixels of two bands are 0.0067 PU.
The documentation's third vector, 20.34 for 2000 x 2000 pixels, two bands, 16 bit, orthorectified, is cut and not
rounded: the printed formula gives 20.3450….
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite

_TILE_PIXELS = 512 * 512
_LEAST_AREA = 0.01
_BANDS = 3


class SampleFormat(StrEnum):
    """How a sample is sent."""

    BITS_8 = "8-bit"
    BITS_16 = "16-bit"
    FLOAT_32 = "32-bit-float"
    OCTET_STREAM = "octet-stream"


class Correction(StrEnum):
    """What is done to Sentinel-1's geometry."""

    NONE = "none"
    ORTHORECTIFICATION = "orthorectification"
    TERRAIN = "terrain"


_FORMAT = {
    SampleFormat.BITS_8: 1.0,
    SampleFormat.BITS_16: 1.0,
    SampleFormat.FLOAT_32: 2.0,
    SampleFormat.OCTET_STREAM: 1.4,
}
_CORRECTION = {Correction.NONE: 1.0, Correction.ORTHORECTIFICATION: 2.0, Correction.TERRAIN: 2.5}
_SPECKLE = 2.0


def processing_units(
    *,
    width: int,
    height: int,
    bands: int,
    sample_format: SampleFormat,
    samples: float = 1,
    correction: Correction = Correction.NONE,
    speckle_filter: bool = False,
) -> float:
    """What one request counts, in PU, not rounded. Only a request that is answered with 2xx is charged.

    Parameters
    ----------
    width, height
        Of the answer, in pixels.
    bands
        Input bands.
    samples
        Data samples (dates) for each pixel.

    Raises
    ------
    ValueError
        A quantity is not above zero.
    """
    if not (isfinite(samples) and min(width, height, bands, samples) > 0):
        raise ValueError("width, height, bands and samples are above zero")
    area = max(_LEAST_AREA, width * height / _TILE_PIXELS)
    speckle = _SPECKLE if speckle_filter else 1.0
    return area * bands / _BANDS * _FORMAT[sample_format] * samples * _CORRECTION[correction] * speckle
