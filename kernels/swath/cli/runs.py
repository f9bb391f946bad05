"""Verbs about runs that were started before: runs, status, logs, results, cancel."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from swath.cli.output import AsJson, RunId, print_facts, print_json, print_log, print_table, remark
from swath.cli.running import let_go, save
from swath.client import runs as client
from swath.client import session
from swath.client.results import COLUMNS
from swath.display import clean


class Status(StrEnum):
    """The statuses of a run."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELED = "canceled"
    FINISHED = "finished"
    ERROR = "error"


def runs(
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List your runs."""
    found = client.list_runs(session.connection(), status=status.value if status else None, limit=limit)
    if as_json:
        print_json({"runs": [run.as_dict() for run in found]})
    elif found:
        print_table(client.COLUMNS, [run.row() for run in found])
    else:
        remark("no runs")


def status(run: RunId, as_json: AsJson = False) -> None:
    """Show one run; without one, whether Swath runs on this machine."""
    found = client.get_run(session.connection(), run)
    if as_json:
        print_json(found.as_dict())
        return
    print_facts(found.facts())
    if (error := found.error) and error.traceback:
        print(f"\n{clean(error.traceback).rstrip()}")


def logs(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the log of a run.

    With --json and --follow every event of the run is a line of JSON.
    """
    found = client.get_run(session.connection(), run)
    if not follow:
        text = found.logs()
        if as_json:
            print_json({"run": found.id, "log": text})
        else:
            print_log(text)
        return
    try:
        for event in found.events():
            if as_json:
                print_json({"type": event.type, **event.data}, compact=True)
            elif event.type == "log":
                print_log(str(event.data.get("text", "")))
    except KeyboardInterrupt:
        let_go(found.id)
    if not as_json:
        remark(f"{found.id} is {found.status}")


def results(
    run: RunId,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; all without.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Save them in this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are in the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """List or fetch the results of a run."""
    found = client.get_run(session.connection(), run)
    if output:
        saved = save(found, output, force=force, names=names)
        if as_json:
            print_json({"run": found.id, "saved": saved})
        else:
            for one in saved:
                print(clean(str(one["path"])))
        return
    listed = found.results
    chosen = [listed[name] for name in names] if names else list(listed.values())
    if as_json:
        print_json({"run": found.id, "results": [result.as_dict() for result in chosen]})
    elif chosen:
        print_table(COLUMNS, [result.row() for result in chosen])
    else:
        remark(f"{found.id} is {found.status} and has no results" if found.done else f"{found.id} is {found.status}")


def cancel(run: RunId, as_json: AsJson = False) -> None:
    """Cancel a run."""
    found = client.get_run(session.connection(), run).cancel()
    if as_json:
        print_json(found.as_dict())
    elif found.as_dict().get("status") == "canceled":
        print(f"{found.id} is canceled")
    elif found.done:
        print(f"{found.id} was over before: {found.status}")
    else:
        print(f"{found.id} is being canceled")
