"""What a comparer gathers while it goes through two files, and the `Comparison` that comes of it."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import replace

from swath.compare.wording import clean, number, part, shown
from swath.contract.comparison import MAX_DIFFERENCES, Comparison, Difference, Sides, Tolerance, Verdict

_MAX_NOTES = 5
#: Of the differences that are told, so many may be ones without a distance; more when there are no others.
_UNMEASURED = MAX_DIFFERENCES // 2


class Tally:
    """Counts, and keeps the largest differences.

    Attributes
    ----------
    compared, differing
        As in `Comparison`.
    units, units_differing
        What `Tolerance.share` is a share of: pixels, rows, features.
    largest
        Greatest distance of two numbers.
    exact
        Whether everything was the same so far, tolerance or not.
    reshaped
        Whether the two are of another shape: no share excuses that.
    shape
        What to call that.
    """

    def __init__(self, kind: str, *, compared: str, units: str = "") -> None:
        self.kind = kind
        self.words = compared, units or compared
        self.compared = self.differing = self.units = self.units_differing = 0
        self.largest: float | None = None
        self.exact = True
        self.reshaped = False
        self.shape = "of another shape"
        self.picture: str | None = None
        self.sides: Sides | None = None
        self.notes: list[str] = []
        self._order = itertools.count()
        self._measured: list[tuple[float, int, Difference]] = []
        self._unmeasured: list[Difference] = []

    def note(self, text: str, *, exact: bool = False) -> None:
        """Something that the message has to say; with `exact`, of the encoding alone."""
        self.exact = self.exact and exact
        if text not in self.notes and len(self.notes) < _MAX_NOTES:
            self.notes.append(text)

    def reshape(self, where: str, expected: object, found: object) -> None:
        """Something that is there on one side alone, or of another form."""
        self.reshaped, self.exact = True, False
        self.add(where, expected, found)

    def saw(self, distance: float | None) -> None:
        """Take a distance into account for `largest`, whether it is allowed or not."""
        if distance is not None and math.isfinite(distance):
            self.largest = max(distance, self.largest or 0.0)

    def add(self, where: str, expected: object, found: object, distance: float | None = None) -> None:
        """Keep one difference that is too large, if it is among the largest; counting is the caller's."""
        self.exact = False
        measured = distance is not None and math.isfinite(distance)
        if not measured and len(self._unmeasured) >= MAX_DIFFERENCES:
            return
        one = Difference(
            where=clean(where, longest=200),
            expected=shown(expected),
            found=shown(found),
            distance=distance if measured else None,
        )
        if distance is None or not measured:
            self._unmeasured.append(one)
            return
        # The earlier of two that are equally far apart stays.
        entry = (distance, -next(self._order), one)
        if len(self._measured) < MAX_DIFFERENCES:
            heapq.heappush(self._measured, entry)
        else:
            heapq.heappushpop(self._measured, entry)

    @property
    def least_kept(self) -> float:
        """A distance below this would not be kept."""
        return self._measured[0][0] if len(self._measured) >= MAX_DIFFERENCES else -1.0

    def differences(self) -> tuple[Difference, ...]:
        """What is kept, the largest first; those without a distance before them, for nothing is further apart."""
        measured = [one for _, _, one in sorted(self._measured, key=lambda entry: entry[:2], reverse=True)]
        unmeasured = self._unmeasured[: max(_UNMEASURED, MAX_DIFFERENCES - len(measured))]
        return tuple([*unmeasured, *measured][:MAX_DIFFERENCES])

    def verdict(self, tolerance: Tolerance) -> Verdict:
        """What the counts say."""
        if self.reshaped:
            return Verdict.DIFFERS
        if self.differing == 0 and self.units_differing == 0:
            return Verdict.IDENTICAL if self.exact else Verdict.WITHIN
        units = max(1, self.units or self.compared)
        beyond = self.units_differing or self.differing
        # Divided, not multiplied: a share of 1 / 98 then lets 1 of 98 through, however it is rounded.
        return Verdict.WITHIN if beyond / units <= tolerance.share else Verdict.DIFFERS

    def comparison(self, tolerance: Tolerance, *, where: str = "") -> Comparison:
        """The answer.

        Parameters
        ----------
        where
            Sentence that says where the differences lie.
        """
        verdict = self.verdict(tolerance)
        sentences = [self._sentence(verdict, tolerance)]
        if where and (self.differing or self.units_differing):
            sentences.append(where)
        return Comparison(
            verdict=verdict,
            kind=self.kind,
            message="; ".join([*sentences, *self.notes]),
            compared=self.compared,
            differing=self.differing,
            largest=self.largest,
            differences=self.differences(),
            picture=self.picture,
            sides=self.sides,
        )

    def _sentence(self, verdict: Verdict, tolerance: Tolerance) -> str:
        counted, unit = self.words
        if verdict is Verdict.IDENTICAL:
            return f"the same content, in another encoding ({self.compared:,} {counted} compared)"
        apart = f", at most {number(self.largest)} apart" if self.largest else ""
        how = "are further apart than allowed" if self.largest else "differ"
        if self.reshaped and not self.differing:
            return self.shape
        if not self.differing and not self.units_differing:
            return f"none of {self.compared:,} {counted} is further apart than allowed{apart}"
        told = f"{self.differing:,} of {self.compared:,} {counted} {how}{apart}"
        if self.units_differing and unit != counted:
            told += f", in {self.units_differing:,} of {self.units:,} {unit}"
        if tolerance.share and (units := self.units or self.compared):
            share = (self.units_differing or self.differing) / units
            told += f"; {part(share)} of the {unit}, where {part(tolerance.share)} may be"
        return f"{self.shape}, and {told}" if self.reshaped else told


def without_share(tolerance: Tolerance) -> Tolerance:
    """For kinds that have neither pixels, rows nor features: a share of anything else means nothing."""
    return replace(tolerance, share=0.0)
