"""The verb that tells where a result comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swath.cli.output import AsJson, print_json, remark
from swath.client import lineage as client
from swath.client import session


def lineage(
    what: Annotated[str, typer.Argument(metavar="FILE|RUN", help="A file, its sha256, or a run's id.")],
    down: Annotated[bool, typer.Option("--down", help="What was made of it, instead of what it was made of.")] = False,
    depth: Annotated[
        int | None, typer.Option(min=0, max=2000, help="At most so many runs behind each other.", show_default=False)
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Save the picture there, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Walk from a result through runs to the scenes it was made of."""
    found = client.of(session.connection(), what, down=down, depth=depth)
    if svg:
        remark(f"saved {found.save_svg(svg)}")
    if as_json:
        print_json(found.as_dict())
    else:
        print(found.tree())
