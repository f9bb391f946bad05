"""The verbs `favourite` and `follow`."""

from __future__ import annotations

from typing import Annotated

import typer

from swath.cli.output import AsJson, print_json, print_table, remark
from swath.client import following, session
from swath.client.algorithms import Reference
from swath.display import clean, time_text

_What = Annotated[
    str | None, typer.Argument(metavar="[OWNER/NAME]", help="An algorithm; left out, those that are there are listed.")
]
_Remove = Annotated[bool, typer.Option("--remove", "-d", help="Take it out again.", show_default=False)]


def favourite(algorithm: _What = None, *, remove: _Remove = False, as_json: AsJson = False) -> None:
    """Keep an algorithm at hand, or list those that you keep."""
    _do(following.FAVOURITES, algorithm, remove=remove, as_json=as_json, words=("a favourite", "no favourite"))


def follow(algorithm: _What = None, *, remove: _Remove = False, as_json: AsJson = False) -> None:
    """Be told of what happens to an algorithm, or list those that you follow.

    Of new versions, levels that rise or fall, versions that are yanked or revoked: see `swath notices`.
    """
    _do(following.FOLLOWS, algorithm, remove=remove, as_json=as_json, words=("followed", "not followed"))


def _do(which: str, algorithm: str | None, *, remove: bool, as_json: bool, words: tuple[str, str]) -> None:
    if algorithm is None:
        if remove:
            raise typer.BadParameter("--remove needs an algorithm")
        _show(which, as_json=as_json)
        return
    reference = Reference.parse(algorithm)
    told = following.choose(session.connection(), which, reference, wanted=not remove)
    if as_json:
        print_json(told)
    else:
        remark(clean(f"{told.get('algorithm')} is {words[0] if told.get('chosen') else words[1]}"))


def _show(which: str, *, as_json: bool) -> None:
    found = following.lists(session.connection()).get(which) or []
    if as_json:
        print_json({which: found})
    elif not found:
        remark("none")
    else:
        print_table(("algorithm", "since"), [(one["algorithm"], time_text(one["since"])) for one in found])
