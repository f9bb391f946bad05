"""The verb `run`, and how a run is waited for in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.exits import Exit
from swath.cli.output import AsJson, print_facts, print_json, print_log, print_table, remark
from swath.cli.parameters import read
from swath.client import api as swath_api
from swath.client import session
from swath.client.algorithms import Reference
from swath.client.progress import Bar, Display, Lines, Silent, Watched
from swath.client.quotes import Quote
from swath.client.results import COLUMNS
from swath.client.run import Run
from swath.display import clean


def run(
    algorithm: Annotated[str, typer.Argument(metavar="OWNER/NAME[@RANGE]", help="For example ada/ndvi-timeseries@^1")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter; VALUE is text, JSON or @FILE."),
    ] = None,
    *,
    params: Annotated[
        str | None,
        typer.Option("--params", metavar="FILE", help="A JSON object of parameters; - reads standard input."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is over, or print its id at once.")
    ] = True,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print its log as it goes.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Save all results in this folder.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="CREDITS", help="The most it may cost; by default what its limits allow.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again is the same run.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are in the folder.")] = False,
    quote: Annotated[
        bool, typer.Option("--quote", help="Only tell what it would cost and take; nothing is run or held.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run an algorithm and, unless told otherwise, wait for it.

    An interrupt (Ctrl-C) ends the waiting and not the run. With --json and --follow every event is a line of JSON, and
    the last line is the run.
    """
    if quote and (follow or output or not wait or idempotency_key):
        raise typer.BadParameter("--quote runs nothing; leave out what is about a run")
    if not wait and (follow or output):
        raise typer.BadParameter("--follow and --output wait for the run; leave --no-wait out")
    api, reference = session.connection(), Reference.parse(algorithm)
    schema = api.json("GET", f"{reference.version_path}/schema") if parameter else None
    values = read(parameter or [], file=params, schema=schema)
    if quote:
        tell_quote(swath_api.ask_quote(api, reference, values, budget=budget), as_json=as_json)
        return
    started = swath_api.start(api, reference, values, budget=budget, idempotency_key=idempotency_key)
    if wait:
        watch(started, follow=follow, as_json=as_json)
    elif not as_json:
        print(started.id)
        return
    saved = save(started, output, force=force) if output and started.as_dict().get("status") == "finished" else []
    told = {**started.as_dict(), **({"saved": saved} if saved else {})}
    if as_json:
        print_json(told, compact=follow)
    started.raise_for_status()
    if not as_json:
        conclude(started, saved)


def tell_quote(quote: Quote, *, as_json: bool) -> None:
    """Print what a run would cost."""
    if as_json:
        print_json(quote.as_dict())
    else:
        print_facts(quote.facts())


def conclude(run: Run, saved: list[dict[str, Any]]) -> None:
    """Tell how a run went and where its results are."""
    print_facts(run.facts())
    print()
    if saved:
        for one in saved:
            print(clean(str(one["path"])))
        return
    print_table(COLUMNS, [result.row() for result in run.results.values()])
    remark(f"Save them: swath results {run.id} --output DIR")


def save(run: Run, folder: Path, *, force: bool, names: list[str] | None = None) -> list[dict[str, Any]]:
    """Save results of `run` in `folder` and say where each is."""
    results = run.results
    chosen = [results[name] for name in names] if names else list(results.values())
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for result in chosen:
        path = result.download(folder, overwrite=force)
        saved.append({"name": result.name, "path": str(path), "sha256": result.sha256, "media_type": result.media_type})
    return saved


def watch(run: Run, *, follow: bool, as_json: bool) -> None:
    """Wait until `run` is over, showing its log or how far it is.

    Ends the command with the code for an interrupt, and says how to come back, when the waiting is interrupted.
    """
    with Watched(_display(run, follow=follow, as_json=as_json)) as watched:
        try:
            for event in run.events():
                watched.take(event)
                if follow and as_json and event.type != "status":
                    print_json({"type": event.type, **event.data}, compact=True)
                elif follow and event.type == "log":
                    print_log(str(event.data.get("text", "")))
        except KeyboardInterrupt:
            watched.display.close()
            let_go(run.id)


def let_go(run_id: str) -> None:
    """Say that the run goes on and how to find it again, and end."""
    remark(f"\nThe run {run_id} goes on. Come back: swath logs -f {run_id} - stop it: swath cancel {run_id}")
    raise typer.Exit(Exit.INTERRUPTED)


def _display(run: Run, *, follow: bool, as_json: bool) -> Display:
    if as_json:
        return Silent()
    title = clean(f"{run.algorithm}@{run.version}")
    # A bar would be torn by the log's lines, so both are told line by line.
    return Bar(title) if sys.stderr.isatty() and not follow else Lines(title, stream=sys.stderr)
