"""Where results are compared: their files were written by code that nobody trusts, so it is not in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swath.contract.comparison import EXACT, Comparison, Tolerance


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two files to compare."""

    name: str
    """Of the output; letters, digits, ``_`` and ``-``."""
    expected: Path
    found: Path
    media_type: str
    """Of the found one, as its run recorded it."""
    tolerance: Tolerance = EXACT


class Comparer(Protocol):
    """Compares results.

    Promises: changes nothing, so a call may be repeated; a file that cannot be read, and a comparison that takes too
    much time or memory, is answered with `Verdict.INCOMPARABLE` and the reason, never raised.
    """

    def compare(self, pairs: Sequence[Pair], *, pictures: Path | None = None) -> Mapping[str, Comparison]:
        """What each pair's comparison found, by name.

        Parameters
        ----------
        pictures
            Folder for the PNGs of differences; made when it is not there. ``None``: none are drawn.

        Raises
        ------
        ComparerUnavailable
            This machine cannot compare at the moment; nothing is known of any pair.
        """
        ...


class ComparerUnavailable(Exception):
    """No environment, no sandbox; the message is for the log."""
