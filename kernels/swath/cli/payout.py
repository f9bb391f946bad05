"""``swath quota payout``: what an author earned in a month, and what was paid out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table

_COLUMNS = ("algorithm", "runs", "added value", "fee", "earned")


def payout(
    author: Annotated[str, typer.Argument(metavar="AUTHOR", help="Name of the author; your own, or anybody's.")],
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="Which month (UTC).")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every line there as a table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or save what an author earned in a month (authors their own, operators anybody's)."""
    from swath.client import session
    from swath.client.http import QUOTA, segment

    api = session.connection()
    path = f"{QUOTA}/authors/{segment(author)}/payouts/{segment(month)}"
    if csv is not None:
        csv.write_bytes(api.request("GET", path, params={"format": "csv"}).content)
        if not as_json:
            print(csv)
            return
    told = api.json("GET", path, params={"format": "json"})
    if as_json:
        print_json({**told, **({"saved": {"csv": str(csv)}} if csv else {})})
        return
    _show(told)


def _show(told: dict[str, Any]) -> None:
    from swath.display import credits_text

    names = (
        ("opening balance", "opening"),
        ("earned", "earned"),
        ("taken back", "taken_back"),
        ("paid out", "paid_out"),
        ("closing balance", "closing"),
    )
    until = "" if told.get("is_final") else ", so far"
    facts = [("author", told.get("author")), ("month", f"{told.get('month')}{until}")]
    print_facts([*facts, *((name, f"{credits_text(told.get(member))} credits") for name, member in names)])
    if found := told.get("algorithms"):
        print()
        amounts = ("added_value", "fee", "earned")
        print_table(
            _COLUMNS,
            [[one["algorithm"], one["runs"], *(credits_text(one[name]) for name in amounts)] for one in found],
        )
