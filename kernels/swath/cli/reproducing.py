"""The verb that runs a run again and says whether the same came of it."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table, remark
from swath.client import reproduction as client
from swath.client import session
from swath.client.api import millicredits


class _Exit(IntEnum):
    """Exit codes of `reproduce`, apart from those of the other verbs: a script asks it one question."""

    SAME = 0
    DIFFERS = 1
    CANNOT = 2


_EXITS = {"differs": _Exit.DIFFERS, "cannot": _Exit.CANNOT}


def reproduce(
    what: Annotated[str, typer.Argument(metavar="RUN|RECEIPT", help="A run's id, or the file of a receipt.")],
    *,
    rtol: Annotated[float | None, typer.Option(min=0, help="Numbers may be apart by this share.")] = None,
    atol: Annotated[float | None, typer.Option(min=0, help="And by this much, in their unit.")] = None,
    share: Annotated[float | None, typer.Option(min=0, max=1, help="Of pixels, rows that may be beyond.")] = None,
    distance: Annotated[float | None, typer.Option(min=0, help="Geometries may be apart by this.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="WHAT", help="JSON path ($.made_at) or column that does not count.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Nothing may be apart, whatever the scenarios say.")] = False,
    budget: Annotated[float | None, typer.Option(metavar="CREDITS", help="The most that the run may cost.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save pictures of the differences in this folder.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the id and go; the verdict comes later.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a run again from its receipt, and say whether the same came of it.

    You pay for the run. Ends with 0 when every output is the same, or within the tolerances; with 1 when one differs
    (and says where and why); with 2 when it cannot be run again (and says why). Without tolerances of your own those of
    the version's scenarios count.
    """
    given = {"rtol": rtol, "atol": atol, "share": share, "distance": distance, "ignore": ignore or None}
    asked = {name: value for name, value in given.items() if value is not None}
    tolerances: dict[str, dict[str, Any]] | None = {"*": asked} if asked else ({} if exact else None)
    found = client.start(
        session.connection(),
        what,
        tolerances=tolerances,
        budget_millicredits=None if budget is None else millicredits(budget),
    )
    if not no_wait:
        _wait(found)
    if pictures and found.done:
        for path in found.save_pictures(pictures):
            remark(f"picture: {path}")
    if as_json:
        print_json(found.as_dict())
    else:
        _tell(found)
    if code := _EXITS.get(found.verdict or ""):
        raise typer.Exit(code)


def _wait(found: client.Reproduction) -> None:
    try:
        found.wait()
    except KeyboardInterrupt:
        remark(f"it goes on as {found.id}")
        raise


def _tell(found: client.Reproduction) -> None:
    print_facts(found.facts())
    if not found.comparisons:
        return
    print()
    print_table(client.COLUMNS, found.rows())
    for name, one in found.comparisons.items():
        if one["differences"]:
            print(f"\n{name}")
            rows = [
                [each["where"], each["expected"], each["found"], _apart(each["distance"])]
                for each in one["differences"]
            ]
            print_table(["where", "then", "now", "apart"], rows)


def _apart(distance: float | None) -> str:
    return "" if distance is None else f"{distance:g}"
