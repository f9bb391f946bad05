"""What the verbs print: tables for people, JSON for programs, remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from swath.display import clean, text_table

AsJson = Annotated[
    bool,
    typer.Option("--json", help="JSON on standard output; an error as JSON on standard error.", show_default=False),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `swath runs` lists it.")]


def print_json(value: Any, *, compact: bool = False) -> None:
    """One JSON document; escaped to ASCII, so that nothing in it can drive a terminal."""
    print(json.dumps(value, indent=None if compact else 2), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A ruled table in a terminal, aligned columns without rules where a program may read them."""
    rows = [list(row) for row in rows]
    if not sys.stdout.isatty():
        print(text_table(columns, rows))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        # `Text`, never markup: the words are others'.
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    Console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Pairs, one a line; empty ones are left out."""
    told = [(name, clean(str(value))) for name, value in facts if str(value)]
    width = max((len(name) for name, _ in told), default=0)
    for name, value in told:
        print(f"{name:<{width}}  {value}")


def remark(text: str) -> None:
    """A word to the person at the terminal, out of the way of what is piped on."""
    print(clean(text), file=sys.stderr, flush=True)


def print_log(text: str) -> None:
    """A piece of a run's log; colours stay in a terminal."""
    sys.stdout.write(clean(text, colors=sys.stdout.isatty()))
    sys.stdout.flush()
