"""A real Sentinel-2 level-1C scene with all 13 bands, which the test data of a cloud detector's package carry.

The scene is an array of 856 rows by 512 columns without a place. Its makers' documentation asks for just that many
pixels over one box, and what is seen in them is that box: the mouth of the Betsiboka.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from swath_archive.domain.errors import SourceUnavailable
from swath_archive.domain.scenes import Grid, Pending, Pixels, Scene
from swath_archive.sources import Batch, index, specs

PROJECT = "s2cloudless"
#: The last release that carries the whole scene; later ones have the model alone.
FILENAME = "s2cloudless-1.2.2.tar.gz"
SHA256 = "15ef5712b0f84e14b6bd040de281ae3aa51348bef7667e28e9e5c2b6320d7edb"
ARRAYS = "s2cloudless-1.2.2/s2cloudless/TestInputs/input_arrays.npz"
_DATE = datetime(2017, 12, 15, tzinfo=UTC)
#: West, south, east, north in degrees.
_BOX = (46.16, -16.15, 46.51, -15.58)


def batch(cache: Path, *, progress: index.Progress | None = None) -> Batch:
    """The scene's collection. Nothing is fetched before its pixels are asked for.

    Parameters
    ----------
    cache
        Folder that keeps the package, so that it is fetched once.
    """
    item = Pending(
        item_id=f"betsiboka-{_DATE:%Y%m%d}",
        at=_DATE,
        source=f"{FILENAME}#{ARRAYS.rsplit('/', 1)[1]}",
        source_sha256=SHA256,
        read=partial(_read, cache, progress),
        properties={"swath:time_precision": "nominal"},
    )
    # The archive is of use without it: nothing but the cloud mask needs level 1C.
    return Batch(spec=specs.SENTINEL_2_L1C_SAMPLE, items=(item,), extra=True)


def _read(cache: Path, progress: index.Progress | None) -> Scene:
    import numpy as np

    reflectance = arrays(cache, progress=progress)("s2_im")[0]
    height, width, count = reflectance.shape
    names = [band.name for band in specs.SENTINEL_2_L1C_SAMPLE.bands]
    if count != len(names):
        raise SourceUnavailable(code="sample-incomplete", message=f"{FILENAME} holds {count} bands in place of 13")
    # The file's numbers are whole ten-thousandths as 32-bit floating point; rounding gives them back.
    stored = np.rint(reflectance.astype(np.float64) * 10_000).astype(np.uint16)
    west, south, east, north = _BOX
    transform = ((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)
    grid = Grid(crs="EPSG:4326", transform=transform, height=height, width=width)
    return Scene(grid=grid, pixels={name: stored[..., number] for number, name in enumerate(names)})


def arrays(cache: Path, *, progress: index.Progress | None = None) -> Callable[[str], Pixels]:
    """The package's arrays by name: ``s2_im``, and what its makers' detector made of it, ``cl_probs`` and ``cl_mask``.

    Raises
    ------
    SourceUnavailable
        The package cannot be had, or does not hold them.
    """
    import numpy as np

    path = index.fetch(PROJECT, FILENAME, sha256=SHA256, cache=cache, progress=progress)
    with tarfile.open(path) as package:
        for member in package:
            if member.name == ARRAYS and (stream := package.extractfile(member)):
                loaded = np.load(io.BytesIO(stream.read()), allow_pickle=False)
                return lambda name: loaded[name]
    raise SourceUnavailable(code="sample-incomplete", message=f"{FILENAME} does not hold the scene it should")
