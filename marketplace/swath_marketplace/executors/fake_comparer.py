"""A `Comparer` for tests: the same bytes are identical, others differ, unless the test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swath.contract.comparison import Comparison, Verdict
from swath.contract.media import Kind, named_kind, told_as

from swath_marketplace.executors.comparer import ComparerUnavailable, Pair

#: A picture of one pixel.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccfc0f01f0005060202"
    "5f3c2d3b0000000049454e44ae426082"
)


@dataclass(kw_only=True)
class FakeComparer:
    """Reads bytes alone.

    Attributes
    ----------
    scripted
        By the name of a pair: what its comparison finds, whatever its bytes are.
    fail
        When set, `compare` raises `ComparerUnavailable` with it.
    calls
        What was asked for, in that order.
    """

    scripted: dict[str, Comparison] = field(default_factory=dict)
    fail: str | None = None
    calls: list[tuple[Pair, ...]] = field(default_factory=list)

    def compare(self, pairs: Sequence[Pair], *, pictures: Path | None = None) -> Mapping[str, Comparison]:
        self.calls.append(tuple(pairs))
        if self.fail is not None:
            raise ComparerUnavailable(self.fail)
        return {pair.name: self.scripted.get(pair.name) or _by_bytes(pair, pictures) for pair in pairs}


def _by_bytes(pair: Pair, pictures: Path | None) -> Comparison:
    kind = told_as(named_kind(pair.media_type) or Kind.BYTES)
    for path, which in ((pair.expected, "expected"), (pair.found, "found")):
        if not path.is_file():
            return Comparison(verdict=Verdict.INCOMPARABLE, kind=kind, message=f"the {which} file is missing")
    if pair.expected.read_bytes() == pair.found.read_bytes():
        return Comparison(verdict=Verdict.IDENTICAL, kind=kind, message="the same bytes")
    picture = None
    if pictures and kind in ("raster", "picture"):
        pictures.mkdir(parents=True, exist_ok=True)
        picture = f"{pair.name}.png"
        (pictures / picture).write_bytes(_PNG)
    return Comparison(
        verdict=Verdict.DIFFERS, kind=kind, message="not the same bytes", compared=1, differing=1, picture=picture
    )
