"""The verb `diff`: two files, two folders of results, or two runs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from swath.cli.exits import Exit
from swath.cli.output import AsJson, print_json, print_table, remark
from swath.client import runs as client
from swath.client import session
from swath.client.errors import Invalid, NotFound
from swath.contract.comparison import Comparison, Tolerance, Verdict, one_sided, worst
from swath.contract.fields import ContractError
from swath.contract.interface import GIVEN_OUTPUTS
from swath.display import clean

_RUN_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_EXITS = {Verdict.IDENTICAL: Exit.OK, Verdict.WITHIN: Exit.OK, Verdict.DIFFERS: Exit.DIFFERS}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two that are compared: its results by name."""

    results: Mapping[str, tuple[Path, str]]
    """Name -> file and media type; of a lone file one, under the empty name."""

    @property
    def lone(self) -> bool:
        """Whether it is a file and not many results."""
        return "" in self.results


def diff(
    expected: Annotated[str, typer.Argument(metavar="A", help="A file, a folder or a run's id: what is right.")],
    found: Annotated[str, typer.Argument(metavar="B", help="Another of the same: what is compared with it.")],
    *,
    rtol: Annotated[float, typer.Option(min=0, help="Numbers may be apart by this share of A's.")] = 0.0,
    atol: Annotated[float, typer.Option(min=0, help="And by this much, in their unit.")] = 0.0,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of pixels, rows, features that may be beyond.")] = 0.0,
    distance: Annotated[float, typer.Option(min=0, help="Geometries may be apart by this, in their unit.")] = 0.0,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="JSON path ($.made_at), column, or tag of cells that does not count."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these results.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save pictures of the differences in this folder.")
    ] = None,
    on_server: Annotated[
        bool, typer.Option("--on-server", help="Let the marketplace compare two runs; no result is fetched.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two files, two folders of results, or two runs.

    Ends with 0 when they are the same or apart by no more than allowed, with 1 when they differ, with 2 when nothing
    can be said. Of runs, the executed notebooks are compared only when --only names them.
    """
    try:
        given = {"rtol": rtol, "atol": atol, "share": share, "distance": distance, "ignore": ignore or []}
        tolerance = Tolerance.from_dict(given)
    except ContractError as error:
        raise typer.BadParameter(str(error)) from None
    compare = _on_server if on_server else _here
    compared = compare(expected, found, tolerance, only=only or [], pictures=pictures)
    verdict = worst(compared)
    if as_json:
        told = {name or "file": one.as_dict() for name, one in compared.items()}
        print_json({"verdict": verdict.value, "tolerance": tolerance.as_dict(), "comparisons": told})
    else:
        _tell(compared, pictures)
    if code := _EXITS.get(verdict, Exit.USAGE):
        raise typer.Exit(code)


def _here(
    expected: str, found: str, tolerance: Tolerance, *, only: list[str], pictures: Path | None
) -> dict[str, Comparison]:
    with ExitStack() as stack:
        sides = [_side(word, stack, only=only) for word in (expected, found)]
        if sides[0].lone != sides[1].lone:
            raise typer.BadParameter("compare a file with a file, and a folder or run with a folder or run")
        return _compare(sides[0], sides[1], tolerance, pictures)


def _on_server(
    expected: str, found: str, tolerance: Tolerance, *, only: list[str], pictures: Path | None
) -> dict[str, Comparison]:
    from swath.client.comparing import compare_runs

    api = session.connection()
    told = compare_runs(api, found, expected, tolerance=tolerance, only=only)
    return dict(told.save_pictures(api, pictures) if pictures else told.comparisons)


def _side(word: str, stack: ExitStack, *, only: list[str]) -> Side:
    path = Path(word)
    if path.is_file():
        from swath.compare.kinds import media_type_of

        return Side(results={"": (path, media_type_of(path))})
    if path.is_dir():
        return Side(results=_chosen(_of_folder(path), only, word))
    if not _RUN_ID.fullmatch(word):
        raise NotFound(
            f"there is no file or folder {clean(word)!r}", code="no-such-file", mend="give a path or a run's id"
        )
    run = client.get_run(session.connection(), word)
    wanted = {name: one for name, one in run.results.items() if (name in only if only else name not in GIVEN_OUTPUTS)}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swath-diff-")))
    saved = {name: (one.download(folder), one.media_type) for name, one in wanted.items()}
    return Side(results=_chosen(saved, only, word))


def _of_folder(folder: Path) -> dict[str, tuple[Path, str]]:
    """The files of a folder, by their names without suffix, as `swath results --output` saves them."""
    from swath.compare.kinds import media_type_of

    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        name = path.stem if path.stem not in found else path.name
        found[name] = (path, media_type_of(path))
    return found


def _chosen(found: dict[str, tuple[Path, str]], only: list[str], word: str) -> dict[str, tuple[Path, str]]:
    if only and (unknown := [name for name in only if name not in found]):
        raise NotFound(
            f"{clean(word)} has no result {clean(unknown[0])!r}",
            code="no-such-result",
            mend=f"it has: {clean(', '.join(found)) or 'none'}",
        )
    chosen = {name: one for name, one in found.items() if not only or name in only}
    if not chosen:
        raise Invalid(f"{clean(word)} has no results to compare", code="no-results", mend="see `swath results RUN`")
    return chosen


def _compare(expected: Side, found: Side, tolerance: Tolerance, pictures: Path | None) -> dict[str, Comparison]:
    from swath.compare.jobs import CompareJob, FilePair, run

    shared = [name for name in expected.results if name in found.results]
    # A name that comes from a folder may hold anything; what a picture is called may not.
    plain = {name: _NOT_IN_A_NAME.sub("_", name)[:80] or "difference" for name in shared}
    named = {name: f"{plain[name]}-{at}" if list(plain.values()).count(plain[name]) > 1 else plain[name]
             for at, name in enumerate(shared)}  # fmt: skip
    pairs = [
        FilePair(
            name=named[name],
            expected=expected.results[name][0],
            found=found.results[name][0],
            media_type=found.results[name][1],
            tolerance=tolerance,
        )
        for name in shared
    ]
    told = run(CompareJob(pairs=pairs, pictures=pictures))
    compared = {name: told[named[name]] for name in shared}
    for name in expected.results.keys() ^ found.results.keys():
        compared[name] = one_sided(found=name in found.results)
    return dict(sorted(compared.items()))


def _tell(compared: Mapping[str, Comparison], pictures: Path | None) -> None:
    if list(compared) != [""]:
        print_table(["result", "verdict", "what was found"], [_row(name, one) for name, one in compared.items()])
    else:
        print(clean(f"{compared[''].verdict.value}: {compared[''].message}"))
    for name, one in compared.items():
        if one.differences:
            print(f"\n{clean(name)}" if name else "")
            rows = [
                [each.where, each.expected, each.found, "" if each.distance is None else f"{each.distance:g}"]
                for each in one.differences
            ]
            print_table(["where", "A", "B", "apart"], rows)
        if one.picture and pictures:
            remark(f"picture: {pictures / one.picture}")


def _row(name: str, one: Comparison) -> list[str]:
    return [name, one.verdict.value, one.message]
