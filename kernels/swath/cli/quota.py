"""``swath quota``: what operators do with wallets, over HTTP and with their own token."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.account import show_statement, show_wallet
from swath.cli.organisation import organisation
from swath.cli.output import AsJson, print_facts, print_json, remark
from swath.cli.payout import payout

quota = typer.Typer(help="Give credits, change tiers and limits, read statements (operators).", no_args_is_help=True)
quota.add_typer(organisation, name="organisation")
quota.command()(payout)
Account = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="A user's name, or organisation:NAME for a shared wallet.")
]
_KINDS = ("run", "lab", "dask")


class Category(StrEnum):
    """What kind of credits a grant is."""

    PROMOTIONAL = "promotional"
    RESEARCH = "research"
    COMPENSATION = "compensation"
    PAID = "paid"


@quota.command()
def grant(
    account: Account,
    credits: Annotated[str, typer.Argument(metavar="CREDITS", help="How many, with at most three decimals.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Shown to the owner, and kept.")],
    category: Annotated[Category | None, typer.Option("--category", help="By default promotional.")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When what is left lapses: 2027-03-01, or with a time (UTC).")
    ] = None,
    effective: Annotated[str | None, typer.Option("--effective", help="From when it may be spent.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Only for this: run, lab, dask, OWNER/NAME or OWNER/*. May be repeated."),
    ] = None,
    grant_id: Annotated[
        str | None, typer.Option("--id", help="Id of the grant; the same id again gives nothing more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give credits to a wallet."""
    from swath.client import session
    from swath.client.http import QUOTA

    body: dict[str, Any] = {
        "grant_id": grant_id or f"cli-{uuid.uuid4().hex}",
        "account": account,
        "amount": millicredits(credits),
        "description": reason,
    }
    if category is not None:
        body["category"] = str(category)
    if expires is not None:
        body["expires_at"] = moment("expires", expires).isoformat()
    if effective is not None:
        body["effective_at"] = moment("effective", effective).isoformat()
    if scope:
        body["scope"] = scope_of(scope)
    # Before it is sent: who gets no answer repeats the grant by its id, and it is given once.
    remark(f"grant id: {body['grant_id']}")
    told = session.connection().json("POST", f"{QUOTA}/grants", json=body, repeatable=True)
    if as_json:
        print_json({**told, "grant_id": body["grant_id"]})
        return
    print_facts(_grant_facts(told, grant_id=body["grant_id"]))


@quota.command()
def override(
    account: Account,
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="Its name, such as runs.concurrent.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A whole number in the limit's unit, or unrestricted.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Kept with your name.")],
    until: Annotated[str, typer.Option("--until", help="When the tier's own limit holds again.")],
    override_id: Annotated[
        str | None, typer.Option("--id", help="Id of the override; sending the same again changes nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set one limit of a wallet apart from its tier, for a time."""
    from swath.client import session
    from swath.client.http import QUOTA, segment

    body: dict[str, Any] = {
        "subject": account,
        "limit": limit,
        "hard": limit_value(value),
        "reason": reason,
        "ends_at": moment("until", until).isoformat(),
    }
    name = override_id or f"cli-{uuid.uuid4().hex}"
    remark(f"override id: {name}")
    told = session.connection().json("PUT", f"{QUOTA}/limits/overrides/{segment(name)}", json=body)
    if as_json:
        print_json(told)
        return
    from swath.display import time_text

    facts = [("override id", name), ("account", account), ("limit", limit), ("value", value)]
    print_facts([*facts, ("until", time_text(body["ends_at"])), ("reason", reason)])


@quota.command()
def tier(
    account: Account,
    name: Annotated[str, typer.Argument(metavar="TIER", help="Name of the tier.")],
    as_json: AsJson = False,
) -> None:
    """Put a wallet into another tier."""
    from swath.client import session
    from swath.client.http import QUOTA

    told = session.connection().json("PUT", f"{QUOTA}/wallet/tier", json={"account": account, "tier": name})
    if as_json:
        print_json(told)
        return
    from swath.display import credits_text

    print_facts(
        [
            ("account", told.get("account")),
            ("tier", told.get("tier")),
            ("to spend", credits_text(told.get("available"))),
        ]
    )


@quota.command()
def show(account: Account, as_json: AsJson = False) -> None:
    """Show anybody's wallet."""
    from swath.client import session
    from swath.client.wallet import read

    show_wallet(read(session.connection(), account=account), as_json=as_json)


@quota.command()
def statement(
    account: Account,
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="Which month (UTC).")],
    html: Annotated[Path | None, typer.Option("--html", help="Write it there as a page to print.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write it there as a table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or save a month's statement of anybody's wallet."""
    from swath.client import session
    from swath.client.wallet import statement as read
    from swath.client.wallet import statement_path

    api = session.connection()
    saved = {}
    for form, path in (("html", html), ("csv", csv)):
        if path is not None:
            asked = {"account": account, "format": form, "standalone": "true" if form == "html" else None}
            path.write_bytes(api.request("GET", statement_path(month), params=asked).content)
            saved[form] = str(path)
    if saved and not as_json:
        print("\n".join(saved.values()))
        return
    show_statement({**read(api, month, account=account), **({"saved": saved} if saved else {})}, as_json=as_json)


def millicredits(text: str) -> int:
    """Credits as written, exactly.

    Raises
    ------
    Invalid
    """
    from swath.client.errors import Invalid

    try:
        exact = Decimal(text) * 1000
        whole = int(exact) if exact.is_finite() else 0
    except InvalidOperation:
        exact, whole = Decimal(0), 0
    if whole <= 0 or whole != exact:
        raise Invalid(
            f"{text!r} is no number of credits", code="bad-credits", mend="a number above 0 with at most three decimals"
        )
    return whole


def limit_value(text: str) -> int | str:
    """A limit as the service takes it.

    Raises
    ------
    Invalid
    """
    from swath.client.errors import Invalid

    if text == "unrestricted":
        return text
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"{text!r} is no limit", code="bad-limit", mend="a whole number of at least 0, or unrestricted")
    return int(text)


def moment(option: str, text: str) -> datetime:
    """The time that somebody wrote; a day is its first instant in UTC.

    Raises
    ------
    Invalid
    """
    from swath.client.errors import Invalid
    from swath.display import parse_time

    found = parse_time(text)
    if found is None:
        raise Invalid(
            f"--{option} {text!r} is no time", code="bad-time", mend="like 2027-03-01 or 2027-03-01T12:00:00Z"
        )
    return found


def scope_of(words: list[str]) -> dict[str, list[str]]:
    """What a grant may be spent on, from the words of ``--scope``.

    Raises
    ------
    Invalid
    """
    from swath.client.errors import Invalid

    kinds = [word for word in words if word in _KINDS]
    algorithms = [word for word in words if "/" in word]
    if odd := [word for word in words if word not in kinds and word not in algorithms]:
        raise Invalid(
            f"--scope {odd[0]!r} is neither a kind nor an algorithm",
            code="bad-scope",
            mend="use run, lab, dask, OWNER/NAME or OWNER/*",
        )
    return {"kinds": kinds, "algorithms": algorithms}


def _grant_facts(told: dict[str, Any], *, grant_id: str) -> list[tuple[str, object]]:
    from swath.display import credits_text, time_text

    return [
        ("grant id", grant_id),
        ("account", told.get("account")),
        ("credits", credits_text(told.get("amount"))),
        ("left", credits_text(told.get("remaining"))),
        ("category", told.get("category") or ""),
        ("expires", time_text(told["expires_at"]) if told.get("expires_at") else "never"),
        ("reason", told.get("description") or ""),
    ]
