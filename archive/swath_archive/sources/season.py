"""A simulated growing season over the texture of one real red band. Nothing that comes out of here was measured.

The model, version 1: each pixel has a fixed canopy share (darker red, denser crop), a fixed shift of its season (smooth
noise), and so a vegetation index on each date by a double logistic curve; soil and canopy are mixed to red, the index
then gives the near infrared. Clouds and their shadows are thresholds of smooth noise. The generator has a fixed seed
for each date, so the same scene always gives the same season.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from swath_archive.domain.scenes import Pixels

    Field = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

SEED = 20200518
#: Landsat-8 sees a place again after 16 days.
DATES = tuple(datetime(2020, 1, 5, tzinfo=UTC) + timedelta(days=16 * step) for step in range(23))
# fmt: off
#: Share of the sky under cloud, date by date; some are clear, one is nearly closed.
CLOUD_SHARE = (
    0.1, 0.45, 0.0, 0.2, 0.7, 0.05, 0.0, 0.3, 0.0, 0.15, 0.92, 0.0,
    0.1, 0.5, 0.0, 0.25, 0.05, 0.0, 0.6, 0.1, 0.0, 0.3, 0.05,
)
# fmt: on
_SCALE, _OFFSET = 2.0e-5, -0.1


def simulate(red: Pixels, *, index: int) -> dict[str, Pixels]:
    """One date of the season: bands B4 and B5 as Landsat stores them (0 = no data) and SCL.

    Parameters
    ----------
    red
        The real band 4, as stored, 0 where there is no data; one pixel at least holds data.
    index
        Which of `DATES`.
    """
    import numpy as np

    empty = red == 0
    real = red.astype(np.float64) * _SCALE + _OFFSET
    vegetation = _vegetation_index(real, valid=~empty, day=DATES[index].timetuple().tm_yday)
    noise = np.random.default_rng((SEED, index)).normal(0, 0.004, red.shape)
    texture = 0.3 * (real - real[~empty].mean())
    # Bare soil reflects 0.16 of red light, a closed canopy 0.03.
    red_now = np.clip(0.16 - 0.13 * (vegetation - 0.14) / 0.70 + texture, 0.02, 0.4) + noise
    nir_now = red_now * (1 + vegetation) / (1 - vegetation)
    classes = np.where(vegetation > 0.35, 4, 5).astype(np.uint8)
    cloud, shadow = _sky(red.shape, index=index)
    classes[shadow], classes[cloud], classes[empty] = 3, 9, 0
    bands: dict[str, Pixels] = {"SCL": classes}
    for name, clear in (("B4", red_now), ("B5", nir_now)):
        seen = np.where(cloud, 0.45 + 20 * noise, np.where(shadow, 0.5 * clear, clear))
        numbers = np.clip(np.rint((seen - _OFFSET) / _SCALE), 1, 65535)
        bands[name] = np.where(empty, 0, numbers).astype(np.uint16)
    return bands


def _vegetation_index(red: Field, *, valid: Mask, day: int) -> Field:
    import numpy as np

    low, high = np.percentile(red[valid], (2, 98))
    canopy = np.clip((high - red) / max(high - low, 1e-6), 0, 1)
    shift = 25 * _smooth_noise(red.shape, seed=SEED, cells=6)
    # The southern summer crop is harvested in March; the next one comes up in October.
    green = 1 / (1 + np.exp((day - 85 + shift) / 10)) + 1 / (1 + np.exp(-(day - 285 + shift) / 12))
    # Something green stays between the crops, the more the denser they were.
    curve: Field = 0.14 + 0.12 * canopy + 0.58 * (0.25 + 0.75 * canopy) * np.clip(green, 0, 1)
    return curve


def _sky(shape: tuple[int, ...], *, index: int) -> tuple[Mask, Mask]:
    """Where clouds are and, ten pixels to the south-east, where their shadows fall."""
    import numpy as np

    share = CLOUD_SHARE[index]
    field = _smooth_noise(shape, seed=SEED + 1 + index, cells=9)
    cloud: Mask = field > np.quantile(field, 1 - share) if share else np.zeros(shape, dtype=bool)
    shadow: Mask = np.zeros(shape, dtype=bool)
    shadow[10:, 10:] = cloud[:-10, :-10]
    return cloud, shadow & ~cloud


def _smooth_noise(shape: tuple[int, ...], *, seed: int, cells: int) -> Field:
    """Noise between -1 and 1 that varies over about 1/`cells` of the width: random knots, cosine-interpolated."""
    import numpy as np

    random = np.random.default_rng(seed)
    total = np.zeros(shape)
    for octave in range(3):
        count = cells * 2**octave
        knots = random.uniform(-1, 1, (count + 2, count + 2))
        ys, xs = (np.linspace(0, count, size, endpoint=False) for size in shape)
        rows, columns = ys.astype(int), xs.astype(int)
        fy, fx = ((1 - np.cos(np.pi * (axis - axis.astype(int)))) / 2 for axis in (ys, xs))
        top = knots[rows][:, columns] * (1 - fx) + knots[rows][:, columns + 1] * fx
        bottom = knots[rows + 1][:, columns] * (1 - fx) + knots[rows + 1][:, columns + 1] * fx
        total += (top * (1 - fy[:, None]) + bottom * fy[:, None]) / 2**octave
    smooth: Field = total / np.abs(total).max()
    return smooth
