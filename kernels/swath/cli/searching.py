"""Verbs that find algorithms: search, and algorithms, which is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_json, print_table, remark
from swath.client import api
from swath.client.algorithms import COLUMNS, Algorithms

_SHOWN = 12


def search(
    query: Annotated[str, typer.Argument(help="Words that must all occur; the last may be a beginning.")] = "",
    *,
    level: Annotated[list[str] | None, typer.Option(help="Maturity; may be repeated.")] = None,
    collection: Annotated[list[str] | None, typer.Option(help="That it reads; may be repeated.")] = None,
    band: Annotated[list[str] | None, typer.Option(help="That it reads; may be repeated.")] = None,
    licence: Annotated[list[str] | None, typer.Option(help="SPDX identifier; may be repeated.")] = None,
    price: Annotated[str | None, typer.Option(help="free or paid, beside the resources.")] = None,
    environment: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    author: Annotated[list[str] | None, typer.Option("--author", "--owner", help="May be repeated.")] = None,
    platform: Annotated[list[str] | None, typer.Option(help="Where it runs; here is this Swath.")] = None,
    kind: Annotated[str | None, typer.Option(help="algorithm, external or any.")] = None,
    sort: Annotated[str | None, typer.Option(help="relevance, use, level or newest.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Of the page before.")] = None,
    facets: Annotated[bool, typer.Option("--facets", help="Show what it can be narrowed by, with counts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find algorithms.

    Of several values of one option one has to fit; of several options all.
    """
    found = api.algorithms(
        query,
        limit=limit,
        level=level,
        collection=collection,
        band=band,
        licence=licence,
        price=price,
        environment=environment,
        author=author,
        platform=platform,
        kind=kind,
        sort=sort,
        cursor=cursor,
    )
    if as_json:
        told: dict[str, Any] = {"algorithms": [dict(one) for one in found], "total": found.total}
        print_json(
            {**told, "facets": found.facets, "next_cursor": found.cursor, "hints": [dict(one) for one in found.hints]}
        )
        return
    if found:
        print_table(COLUMNS, found.rows())
    else:
        remark("no algorithms found")
        for hint in found.hints:
            remark(_words(hint))
    if facets:
        rows = [(name, _counts(counts)) for name, counts in found.facets.items() if counts]
        print_table(("narrowed by", "values"), rows)
    _remark_more(found)


#: The name that the verb had before it could be narrowed.
algorithms = search


def _words(hint: Mapping[str, Any]) -> str:
    count = hint.get("count")
    return str(hint.get("message") or "") + (f": {count}" if count else "")


def _counts(counts: Mapping[str, int]) -> str:
    shown = [f"{value} ({count})" for value, count in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _remark_more(found: Algorithms) -> None:
    if found.cursor:
        remark(f"{len(found)} of {found.total}; --limit shows more at once, --cursor {found.cursor} the next ones")
