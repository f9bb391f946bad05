"""Which entries have which value of which facet, as sets of bits: an intersection and a count are one step each.

Entry number n is bit n. With 10,000 entries a set is 1,250 bytes, and the counts of a thousand values take about a
millisecond, whatever was chosen; a database would group ten thousand rows once for each facet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from swath_marketplace.domain.searching import EntryKind, Facet
from swath_marketplace.domain.visibility import Viewer

#: What was chosen of each facet; of a facet that is not here everything.
Chosen = Mapping[Facet, Collection[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What of an entry decides whether and where it comes in an answer."""

    kind: EntryKind
    facets: Mapping[Facet, tuple[str, ...]]
    rank: int
    """Of its level; -1 where it has none."""
    use: int
    published_us: int
    """Microseconds since 1970."""
    hidden: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetCount:
    """A value of a facet and how many entries there would be with it."""

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class FacetSets:
    """The lines of a catalogue at one time; changing one makes another."""

    lines: Mapping[int, Line] = field(default_factory=dict)
    values: Mapping[Facet, Mapping[str, int]] = field(default_factory=dict)
    kinds: Mapping[EntryKind, int] = field(default_factory=dict)
    hidden: int = 0

    def changed(self, changes: Mapping[int, Line | None]) -> Self:
        """With `changes`, by number; ``None`` takes an entry out."""
        lines = dict(self.lines)
        values = {facet: dict(sets) for facet, sets in self.values.items()}
        kinds, hidden = dict(self.kinds), self.hidden
        for number, line in changes.items():
            bit = 1 << number
            if old := lines.pop(number, None):
                kinds[old.kind] &= ~bit
                hidden &= ~bit
                for facet, value in _pairs(old):
                    values[facet][value] &= ~bit
            if line is not None:
                lines[number] = line
                kinds[line.kind] = kinds.get(line.kind, 0) | bit
                hidden |= bit if line.hidden else 0
                for facet, value in _pairs(line):
                    sets = values.setdefault(facet, {})
                    sets[value] = sets.get(value, 0) | bit
        full = {facet: {value: bits for value, bits in sets.items() if bits} for facet, sets in values.items()}
        return type(self)(lines=lines, values=full, kinds=kinds, hidden=hidden)

    @classmethod
    def of(cls, lines: Mapping[int, Line]) -> Self:
        """The sets of `lines`, by number; quicker than one after the other."""
        numbers: dict[tuple[Facet, str], list[int]] = {}
        kinds: dict[EntryKind, list[int]] = {}
        for number, line in lines.items():
            kinds.setdefault(line.kind, []).append(number)
            for pair in _pairs(line):
                numbers.setdefault(pair, []).append(number)
        values: dict[Facet, dict[str, int]] = {}
        for (facet, value), some in numbers.items():
            values.setdefault(facet, {})[value] = bits_of(some)
        return cls(
            lines=dict(lines),
            values=values,
            kinds={kind: bits_of(some) for kind, some in kinds.items()},
            hidden=bits_of(number for number, line in lines.items() if line.hidden),
        )

    def visible(self, kinds: Collection[EntryKind], *, viewer: Viewer) -> int:
        """Entries of `kinds` that `viewer` may find."""
        found = 0
        for kind in kinds:
            found |= self.kinds.get(kind, 0)
        if viewer.sees_all:
            return found
        own = self.values.get(Facet.AUTHOR, {}).get(viewer.owner, 0) if viewer.owner else 0
        return found & ~(self.hidden & ~own)

    def select(self, chosen: Chosen, within: int, *, without: Facet | None = None) -> int:
        """Of `within` the entries that have one of the values chosen of every facet but `without`."""
        for facet, wanted in chosen.items():
            if facet is without:
                continue
            sets, union = self.values.get(facet, {}), 0
            for value in wanted:
                union |= sets.get(value, 0)
            within &= union
        return within

    def counts(self, chosen: Chosen, within: int, *, most: int) -> Mapping[Facet, Sequence[FacetCount]]:
        """How many entries each value of each facet would bring.

        Counted as if nothing were chosen of that same facet: or within a facet, and between facets. Values that would
        bring none are left out, unless they are chosen.

        Parameters
        ----------
        most
            So many values of each facet, those with the most entries; chosen ones are told in any case.
        """
        told: dict[Facet, Sequence[FacetCount]] = {}
        selected = self.select(chosen, within)
        for facet in Facet:
            wanted = chosen.get(facet, ())
            base = self.select(chosen, within, without=facet) if wanted else selected
            counted = [(value, (bits & base).bit_count()) for value, bits in self.values.get(facet, {}).items()]
            counted = [(value, count) for value, count in counted if count]
            counted += [(value, 0) for value in wanted if value not in {known for known, _ in counted}]
            counted.sort(key=lambda one: (-one[1], one[0]))
            told[facet] = [
                FacetCount(value=value, count=count, chosen=value in wanted)
                for place, (value, count) in enumerate(counted)
                if place < most or value in wanted
            ]
        return told


def bits_of(numbers: Iterable[int]) -> int:
    """The set of `numbers`."""
    some = list(numbers)
    buffer = bytearray((max(some, default=0) >> 3) + 1)
    for number in some:
        buffer[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(buffer, "little")


def numbers_of(bits: int) -> list[int]:
    """What is in a set, ascending."""
    return [number for number, digit in enumerate(reversed(f"{bits:b}")) if digit == "1"]


def _pairs(line: Line) -> Iterator[tuple[Facet, str]]:
    return ((facet, value) for facet, some in line.facets.items() for value in some)
