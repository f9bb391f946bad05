"""What a comparison may take. A file that would take more is not compared, and its reader says so.

Sizes that a file merely claims are checked before anything is allocated for it.
"""

from __future__ import annotations

MIB = 1 << 20
#: Values of all bands of a raster: two Sentinel-2 tiles of four bands at 10 m. About a minute on one core.
MAX_PIXELS = 1_000_000_000
#: What one block of a raster may take in memory; a strip of a hostile file may be as wide as the raster.
MAX_BLOCK_BYTES = 64 * MIB
MAX_BANDS = 10_000
#: Variables of a netCDF file, pages of a TIFF; each is held open.
MAX_LAYERS = 200
MAX_PICTURE_PIXELS = 50_000_000
MAX_DOCUMENT_BYTES = 64 * MIB
MAX_TEXT_BYTES = 64 * MIB
MAX_CSV_BYTES = 256 * MIB
#: Of a Parquet file, decompressed.
MAX_TABLE_BYTES = 1024 * MIB
MAX_COLUMNS = 5_000
MAX_CELLS = 100_000_000
MAX_FEATURES = 1_000_000
#: Members of an archive, and what they are together, decompressed.
MAX_MEMBERS = 10_000
MAX_ARCHIVE_BYTES = 4096 * MIB
#: Pairs of vertices between which distances are taken, over all features: some ten seconds.
MAX_VERTEX_PAIRS = 1_000_000_000


class CannotCompare(Exception):
    """Nothing can be said about the two files; the message says why, in words for people."""


def check_size(size: int, limit: int, what: str) -> None:
    """Refuse a file that is larger than its comparer takes.

    Raises
    ------
    CannotCompare
    """
    if size > limit:
        raise CannotCompare(f"{what} has {size / MIB:.0f} MiB; up to {limit // MIB} MiB of its kind are compared")
