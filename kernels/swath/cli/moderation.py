"""Verbs about use and misuse: dashboard, report, reports, revoke, moderate."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table, remark
from swath.client import moderation as desk
from swath.client import session
from swath.client.algorithms import Reference
from swath.display import clean, time_text

Days = Annotated[int, typer.Option(min=1, max=366, help="Of the last so many days.")]
Reason = Annotated[str, typer.Argument(metavar="REASON", help="Why; whom it concerns is told.")]
Algorithm = Annotated[str, typer.Argument(metavar="OWNER/NAME")]
Exact = Annotated[str, typer.Argument(metavar="OWNER/NAME@VERSION", help="One exact version.")]
ReportId = Annotated[
    str | None, typer.Option("--report", metavar="ID", help="The report that it answers.", show_default=False)
]


class Kind(StrEnum):
    """What is wrong."""

    WRONG_RESULTS = "wrong-results"
    SECURITY = "security"
    LICENCE = "licence"
    ABUSE = "abuse"
    OTHER = "other"


class Box(StrEnum):
    """Which reports."""

    MINE = "mine"
    ABOUT = "about"
    QUEUE = "queue"


class Running(StrEnum):
    """What becomes of runs that have started."""

    STOP = "stop"
    FINISH = "finish"


def dashboard(
    days: Days = 30,
    operator: Annotated[
        bool, typer.Option("--operator", help="How the platform fares instead (operators).", show_default=False)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how your algorithms are used, what failed and where, and what they earned."""
    api = session.connection()
    told = desk.operator(api, days=days) if operator else desk.dashboard(api, days=days)
    if as_json:
        print_json(told)
    elif operator:
        _show_platform(told)
    else:
        _show_use(told)


def _show_use(told: dict[str, Any]) -> None:
    if not told.get("algorithms"):
        remark("you have published nothing yet")
        return
    print_table(desk.USE_COLUMNS, desk.use_rows(told))
    failures = desk.failure_rows(told, time_text)
    if failures:
        print()
        print_table(desk.FAILURE_COLUMNS, failures)
    if told.get("open_reports"):
        remark(f"{told['open_reports']} open reports about what is yours: swath reports --box about")


def _show_platform(told: dict[str, Any]) -> None:
    queue, capacity, storage = (told.get(name) or {} for name in ("queue", "capacity", "storage"))
    print_facts(
        [
            ("waiting", f"{queue.get('runs')} runs of {queue.get('callers')} callers"),
            ("oldest wait", f"since {time_text(queue['oldest_at'])}" if queue.get("oldest_at") else ""),
            ("running", capacity.get("running")),
            ("cores", f"{capacity.get('cpus_in_use')} of {capacity.get('cpus')}"),
            ("memory MB", f"{capacity.get('memory_mb_in_use')} of {capacity.get('memory_mb')}"),
            ("broken scenarios", told.get("open_breaks")),
            ("open reports", told.get("open_reports")),
            ("disk left", f"{(storage.get('free_bytes') or 0) / 1e9:.1f} GB"),
        ]
    )
    failing = told.get("failing_versions") or ()
    if failing:
        rows = [
            (f"{one['algorithm']}@{one['version']}", one["failed"], one["failed"] + one["finished"]) for one in failing
        ]
        print()
        print_table(("failing version", "failed", "of"), rows)


def report(
    algorithm: Annotated[
        str, typer.Argument(metavar="OWNER/NAME[@VERSION]", help="An algorithm, or one version of it.")
    ],
    kind: Annotated[Kind, typer.Option(help="What is wrong.")],
    text: Annotated[str, typer.Option(help="What is wrong, where it shows, what you expected.")],
    review: Annotated[
        int | None, typer.Option(min=1, help="Number of a review of that version.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report an algorithm, a version or a review to the operators.

    Whoever made it reads your words and never learns whose they are.
    """
    told = desk.report(session.connection(), algorithm, kind=kind.value, text=text, review=review)
    if as_json:
        print_json(told)
    else:
        print(clean(f"Reported: {told.get('id')}"))


def reports(
    box: Annotated[Box, typer.Option(help="Yours, about what is yours, or the operators' queue.")] = Box.MINE,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List your reports and their answers."""
    found = desk.reports(session.connection(), box=box.value, limit=limit)
    if as_json:
        print_json({"reports": found})
    elif not found:
        remark("there are none")
    else:
        print_table(desk.REPORT_COLUMNS, desk.report_rows(found, time_text))


def revoke(
    algorithm: Exact,
    reason: Reason,
    running: Annotated[
        Running | None,
        typer.Option(help="Stop or finish runs that have started; operators stop them by default.", show_default=False),
    ] = None,
    report: ReportId = None,
    as_json: AsJson = False,
) -> None:
    """Have a version of your algorithm run no more, for good, with a reason.

    Whoever called it lately is told. Its receipts from before stand.
    """
    api, reference = session.connection(), Reference.parse(algorithm)
    told = desk.act(
        api, reference, "revoke", reason=reason, report_id=report, running=running.value if running else None
    )
    _done(told, f"Revoked {reference}: {reason}", as_json=as_json)


moderate = typer.Typer(no_args_is_help=True, help="Answer reports, hide algorithms (operators).")


@moderate.command()
def hide(algorithm: Algorithm, reason: Reason, report: ReportId = None, as_json: AsJson = False) -> None:
    """Hide an algorithm from all but its author and operators."""
    reference = Reference.parse(algorithm)
    told = desk.act(session.connection(), reference, "hide", reason=reason, report_id=report)
    _done(told, f"Hidden: {algorithm}", as_json=as_json)


@moderate.command()
def unhide(algorithm: Algorithm, reason: Reason, report: ReportId = None, as_json: AsJson = False) -> None:
    """Show a hidden algorithm again."""
    reference = Reference.parse(algorithm)
    told = desk.act(session.connection(), reference, "unhide", reason=reason, report_id=report)
    _done(told, f"Shown again: {algorithm}", as_json=as_json)


@moderate.command()
def answer(
    report_id: Annotated[str, typer.Argument(metavar="REPORT", help="The report's id.")],
    text: Annotated[str, typer.Argument(metavar="ANSWER", help="Told to the reporter and to whom it is about.")],
    upheld: Annotated[bool, typer.Option("--upheld/--dismissed", help="Whether the report is right.")],
    as_json: AsJson = False,
) -> None:
    """Answer a report, once."""
    state = "upheld" if upheld else "dismissed"
    told = desk.answer(session.connection(), report_id, state=state, text=text)
    _done(told, f"{state}: {text}", as_json=as_json)


def _done(told: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        print(clean(text))
