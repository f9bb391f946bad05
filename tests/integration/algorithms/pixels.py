"""What the independent paths compute of pixels: their areas in closed form, and medians by sorting."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

#: Of the WGS 84 ellipsoid: semi-major and semi-minor axis in metres, first eccentricity.
_A, _B, _E = 6378137.0, 6356752.314245179, 0.08181919084262149


def zone_km2(south: float, north: float, width: float) -> float:
    """Area between two parallels over `width`, all in degrees: the authalic latitude's equation (Snyder 1987, 3-12)."""

    def to(latitude: float) -> float:
        sine = math.sin(math.radians(latitude))
        return sine / (1 - (_E * sine) ** 2) + math.log((1 + _E * sine) / (1 - _E * sine)) / (2 * _E)

    return math.radians(width) * _B**2 / 2 * (to(north) - to(south)) / 1e6


def areas(transform: Any, shape: tuple[int, int], *, degrees: bool) -> Any:
    """Square kilometres of each pixel."""
    if not degrees:
        return np.full(shape, abs(transform.a * transform.e) / 1e6)
    tops = [transform.f + transform.e * row for row in range(shape[0] + 1)]
    zones = [zone_km2(south, north, transform.a) for north, south in itertools.pairwise(tops)]
    return np.tile(np.array(zones)[:, None], (1, shape[1]))


def median(stack: Any) -> Any:
    """Of what is there along the first axis, by sorting: the middle one, or half way between the two."""
    count = np.isfinite(stack).sum(axis=0)
    ordered = np.sort(stack, axis=0)
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (np.maximum(count - 1, 0) // 2, count // 2))
    high = np.where(count % 2 == 1, low, high)
    return np.where(count > 0, (low + high) / 2, np.nan)
