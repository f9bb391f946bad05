"""Verbs about maturity: maturity, review."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table, remark
from swath.client import maturity as levels
from swath.client import session
from swath.client.algorithms import Reference
from swath.client.errors import Invalid, NotFound
from swath.display import clean, time_text

_MOST_BYTES = 1 << 20


class Kind(StrEnum):
    """What was looked at."""

    TECHNICAL = "technical"
    FUNCTIONAL = "functional"


class Verdict(StrEnum):
    """What is concluded."""

    APPROVE = "approve"
    REJECT = "reject"


def maturity(
    algorithm: Annotated[
        str, typer.Argument(metavar="OWNER/NAME[@RANGE]", help="An algorithm, and which version of it.")
    ],
    history: Annotated[
        bool, typer.Option("--history", help="Every assessment instead, newest first.", show_default=False)
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Of --history: at most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how mature a version is, why, and what is missing for the next level."""
    api, reference = session.connection(), Reference.parse(algorithm)
    if history:
        found = levels.history(api, reference, limit=limit)
        if as_json:
            print_json({"assessments": found})
        elif not found:
            remark("it was never assessed")
        else:
            print_table(levels.HISTORY_COLUMNS, levels.history_rows(found, time_text))
        return
    told = levels.read(api, reference)
    if as_json:
        print_json(told)
        return
    _show(told)


def _show(told: Mapping[str, Any]) -> None:
    assessment = told.get("assessment") or {}
    criteria, next_ = assessment.get("criteria") or {}, told.get("next") or {}
    earns = "its author may ask for added value" if told.get("may_earn") else "no added value may be asked for it"
    print_facts(
        [
            ("version", f"{told.get('algorithm')}@{told.get('version')}"),
            ("level", f"{told.get('level')} ({earns})"),
            ("why", told.get("message") or ""),
            ("until", f"{time_text(told['expires_at'])}, unless a round is green" if told.get("expires_at") else ""),
            (
                "assessed",
                f"{time_text(assessment.get('at'))}, because of {assessment.get('cause')}" if assessment else "",
            ),
            ("criteria", criteria.get("version") or ""),
            ("digest", told.get("digest") or ""),
        ]
    )
    if rows := levels.result_rows(told):
        print()
        print_table(levels.RESULT_COLUMNS, rows)
    if next_:
        missing = levels.missing_rows(told)
        print(clean(f"\nMissing for {next_.get('level')}" + (":" if missing else ": nothing")))
        if missing:
            print_table(levels.MISSING_COLUMNS, missing)
    for one in told.get("reviews") or ():
        aside = "" if one.get("counts") else " (a remark)"
        print(clean(f"\n{one.get('reviewer')}, {one.get('kind')}: {one.get('verdict')}{aside}\n{one.get('text')}"))


def review(
    algorithm: Annotated[str, typer.Argument(metavar="OWNER/NAME@VERSION", help="One exact version.")],
    kind: Annotated[Kind, typer.Option(help="What was looked at: code and scenarios, or method and results.")],
    *,
    verdict: Annotated[Verdict, typer.Option(help="What you conclude.")],
    text: Annotated[str | None, typer.Option(help="Why, at least 40 characters.")] = None,
    file: Annotated[Path | None, typer.Option(help="Read why from there; - is standard input.")] = None,
    as_json: AsJson = False,
) -> None:
    """Review a version of somebody else's; it counts if you are one of the operator's reviewers."""
    if (text is None) == (file is None):
        raise Invalid("give either --text or --file", code="review-invalid", mend="for example --file review.md")
    words = text if text is not None else _words(file or Path("-"))
    told = levels.review(
        session.connection(), Reference.parse(algorithm), kind=kind.value, verdict=verdict.value, text=words
    )
    if as_json:
        print_json(told)
        return
    print(clean(f"{told.get('kind')} review no. {told.get('number')} of {algorithm}: {told.get('verdict')}"))
    if not told.get("counts"):
        remark("It is kept as a remark: the operator names whose reviews count.")


def _words(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read(_MOST_BYTES) if str(file) == "-" else file.expanduser().read_bytes()
        return content.decode()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}", code="no-such-file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read as UTF-8 text", code="review-invalid", mend="save it as UTF-8") from error
