"""Files of which nothing is known but their bytes."""

from __future__ import annotations

import operator

from swath.compare.files import Job
from swath.compare.tally import Tally, without_share
from swath.contract.comparison import Comparison

_BLOCK_BYTES = 1 << 20


def compare(job: Job) -> Comparison:
    """Whether two files are the same bytes, and where they first are not."""
    tally = Tally("bytes", compared="bytes")
    sizes = job.expected.stat().st_size, job.found.stat().st_size
    if sizes[0] != sizes[1]:
        tally.reshape("size", f"{sizes[0]:,} bytes", f"{sizes[1]:,} bytes")
    at = 0
    with job.expected.open("rb") as expected, job.found.open("rb") as found:
        while (first := expected.read(_BLOCK_BYTES)) and (second := found.read(_BLOCK_BYTES)):
            length = min(len(first), len(second))
            tally.compared += length
            if first[:length] != second[:length]:
                if not tally.differing:
                    place = next(index for index in range(length) if first[index] != second[index])
                    tally.add(f"byte {at + place}", f"0x{first[place]:02x}", f"0x{second[place]:02x}")
                tally.differing += sum(map(operator.ne, first, second))
            at += length
    return tally.comparison(without_share(job.tolerance))
