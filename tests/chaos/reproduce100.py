"""A hundred real runs, reproduced: is every verdict right, and does it name its cause?

    python tests/chaos/reproduce100.py --runs 100

Among them are notebooks made to differ by a random seed, the clock, the order of a set, a package that was changed, a
scene that was replaced or is gone. Prints what was expected and found of each kind; ends with 0 only when all are
right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from plain_swath import PlainSwath
from reproducing import KINDS, USERS, Case, Place, cases_of, reproduce

say = Console(highlight=False)
#: Of a hundred.
SHARES: Mapping[str, int] = {
    "arithmetic": 11,
    "scene": 8,
    "seeded": 8,
    "seed": 12,
    "clock": 10,
    "order": 10,
    "noise": 8,
    "raster": 3,
    "replaced": 8,
    "gone": 4,
    "grown": 3,
    "package": 6,
    "altered": 4,
    "broken": 4,
    "yanked": 1,
}


def counts(runs: int) -> dict[str, int]:
    """How many of each kind, at least one of each, together about `runs`."""
    return {name: max(1, round(share * runs / 100)) for name, share in SHARES.items()}


def table_of(cases: list[Case]) -> Table:
    """Expected beside found, by kind."""
    table = Table("kind", "runs", "expected", "found", "cause", "right", title="verdicts")
    for kind in KINDS:
        those = [case for case in cases if case.kind is kind]
        if those:
            found = ", ".join(
                f"{verdict} {n}" for verdict, n in Counter(case.found["verdict"] for case in those).items()
            )
            right = sum(case.right for case in those)
            table.add_row(kind.name, str(len(those)), kind.verdict, found, kind.cause or "-", f"{right}/{len(those)}")
    return table


def main() -> int:
    """Run, reproduce, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3600, help="give up after so long")
    parser.add_argument("--keep", type=Path, help="data folder, kept; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swath-reproduce-") as scratch:
        data = options.keep or Path(scratch) / "data"
        data.mkdir(parents=True)
        cases = cases_of(counts(options.runs))
        place = Place(data)
        place.make(cases)
        swath = PlainSwath(data, python=place.python, editable=True, users=USERS)
        began = time.monotonic()
        try:
            for service in ("quota", "marketplace"):
                swath.start(service)
            for service in ("quota", "marketplace"):
                swath.wait_ready(service)
            reproduce(cases, place, swath.client, say=say.print, seconds=options.seconds)
        finally:
            swath.close()
        took = time.monotonic() - began
    say.print(table_of(cases))
    wrong = [case for case in cases if not case.right]
    for case in wrong[:10]:
        say.print(f"{case.kind.name} {case.number}: {case.found}")
    say.print(f"{len(cases) - len(wrong)} of {len(cases)} verdicts right, {took:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
