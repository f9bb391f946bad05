"""The verbs `benchmark` and `notices`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.exits import Exit
from swath.cli.output import AsJson, print_json, print_table, remark
from swath.client import benchmarks, session
from swath.client.algorithms import Reference
from swath.client.errors import Invalid
from swath.display import clean, time_text

_COLUMNS = ("scenario", "outcome", "seconds", "what came")
_DIFFERENCES = ("scenario", "output", "where", "expected", "found", "apart")


def benchmark(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|NOTEBOOK|OWNER/NAME[@RANGE]",
            help="A folder or notebook is run here; a published algorithm by the service, and paid by it.",
        ),
    ],
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", "-s", metavar="NAME", help="This one only; may be repeated.")
    ] = None,
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Take what came as the new references, after showing how it differs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --update: do not ask.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Without the second run, which has to bring the same.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the pictures of differences in this folder.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Of the service's round print the id and leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run an algorithm's scenarios and compare what comes with their references.

    Exit code 1 when a scenario is red.
    """
    place = Path(what).expanduser()
    if place.exists() or what.endswith(".ipynb"):
        if no_wait:
            raise typer.BadParameter("--no-wait is about a round of the service")
        results = _here(place, scenario, update=update, yes=yes, once=once, pictures=pictures, as_json=as_json)
        _conclude({"results": results}, as_json=as_json)
        return
    if update or once or scenario or pictures:
        raise typer.BadParameter("the service runs every scenario, twice; --no-wait and --json go with it alone")
    api = session.connection()
    asked = benchmarks.ask(api, Reference.parse(what))
    if no_wait:
        print_json(asked) if as_json else print(clean(str(asked["id"])))
        return
    if not as_json:
        remark(f"round {asked['id']}: the platform runs every scenario, when nobody else waits")
    told = benchmarks.follow(api, asked["id"], on_result=lambda one: None if as_json else remark(_line(one)))
    _conclude(told, as_json=as_json)


def _here(
    place: Path,
    names: list[str] | None,
    *,
    update: bool,
    yes: bool,
    once: bool,
    pictures: Path | None,
    as_json: bool,
) -> list[dict[str, Any]]:
    """Run the scenarios of a folder in this environment."""
    from swath.benchmark.folder import read_algorithm
    from swath.benchmark.judging import benchmark as judged
    from swath.benchmark.judging import outdated
    from swath.benchmark.running import check_here

    algorithm = read_algorithm(place, names=names, updating=update)
    check_here()
    known, results = _collections(), []
    with tempfile.TemporaryDirectory(prefix="swath-benchmark-") as scratch:
        for file, one in algorithm.scenarios.items():
            work = Path(scratch, one.name)
            there = all((algorithm.path / expected.reference).is_file() for expected in one.outputs.values())
            result = judged(algorithm, one, work, collections=known, once=once, compare_references=there or not update)
            if pictures is not None:
                _keep(work, pictures / one.name)
            if not as_json:
                remark(_line(result.as_dict()))
            told = result.as_dict()
            if update:
                changed = outdated(algorithm.path, one, result)
                if changed and not as_json:
                    _show(told)
                told["updated"] = _update(algorithm.path, file, one, changed, ask=not (yes or as_json))
            results.append(told)
    return results


def _update(folder: Path, file: Path, scenario: Any, changed: dict[str, Path], *, ask: bool) -> dict[str, str]:
    """Take `changed` as references, if the person at the terminal agrees; their hashes by output."""
    from swath.benchmark.references import write_references

    if not changed:
        return {}
    if ask and not typer.confirm(f"{scenario.name}: take {', '.join(changed)} as the new reference?", err=True):
        return {}
    return dict(write_references(folder, file, scenario=scenario, produced=changed))


def _keep(work: Path, target: Path) -> None:
    import shutil

    for folder in ("pictures", "pictures-repeat"):
        if (work / folder).is_dir():
            shutil.copytree(work / folder, target / folder, dirs_exist_ok=True)


def _collections() -> frozenset[str] | None:
    """The collections of the archive at hand; ``None`` when there is none that can be asked."""
    from swath.catalogue import open_catalogue
    from swath.client.errors import SwathError

    try:
        return frozenset(str(one.get("id")) for one in open_catalogue().collections())
    except (SwathError, OSError, ValueError):
        return None


def _conclude(told: Mapping[str, Any], *, as_json: bool) -> None:
    results = list(told.get("results") or ())
    if as_json:
        print_json(dict(told))
    else:
        print_table(_COLUMNS, [_row(one) for one in results])
        for one in results:
            if not one.get("updated"):
                _show(one)
    if any(one["outcome"] in ("red", "unknown") and not one.get("updated") for one in results):
        raise typer.Exit(Exit.RUN_FAILED)


def _row(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    seconds = one.get("wall_seconds")
    outcome = "updated" if one.get("updated") else str(one["outcome"])
    return str(one["scenario"]), outcome, "-" if seconds is None else f"{seconds:.1f}", str(one["message"])


def _line(one: Mapping[str, Any]) -> str:
    return clean(f"{one['outcome']:<11} {one['scenario']}: {one['message']}")


def _show(one: Mapping[str, Any]) -> None:
    """Where the outputs of a scenario differ."""
    rows = []
    for kind in ("comparisons", "repeated"):
        for output, found in (one.get(kind) or {}).items():
            if found["verdict"] in ("differs", "incomparable"):
                rows += [
                    (
                        one["scenario"],
                        output,
                        place["where"],
                        place["expected"],
                        place["found"],
                        "-" if place["distance"] is None else f"{place['distance']:.6g}",
                    )
                    for place in found["differences"][:5]
                ]
    if rows:
        print()
        print_table(_DIFFERENCES, rows)


def notices(
    unread: Annotated[bool, typer.Option("--unread", help="Those only that you have not read.")] = False,
    read: Annotated[str | None, typer.Option(metavar="ID|all", help="Note that you have read it, or all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what you ought to know of your algorithms.

    Scenarios that broke, were mended, or became slower or dearer; the newest first.
    """
    api = session.connection()
    if read is not None:
        ids = benchmarks.unread_ids(api) if read == "all" else [read]
        if not all(str(one).isalnum() for one in ids):
            raise Invalid("a notice's id is letters and digits", code="bad-notice", mend="see `swath notices --json`")
        done = [benchmarks.read(api, one) for one in ids]
        print_json({"read": done}) if as_json else remark(f"{len(done)} read")
        return
    told = benchmarks.notices(api, unread=unread, limit=limit)
    if as_json:
        print_json(told)
    elif not told["notices"]:
        remark("nothing to tell")
    else:
        rows = [
            (time_text(one["at"]), "" if one["read_at"] else "new", one["text"], one["id"]) for one in told["notices"]
        ]
        print_table(("when", "", "what", "id"), rows)
