"""``swath quota organisation``: wallets that members share, each up to a ceiling of their own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table
from swath.display import credits_text

organisation = typer.Typer(
    help="Shared wallets: open them (operators), admit and dismiss members (owners).", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The organisation, without organisation: before it.")]
Member = Annotated[str, typer.Argument(metavar="MEMBER", help="Name of the user.")]
_COLUMNS = ("member", "role", "a month", "spent", "held", "")


@organisation.command("open")
def open_(
    name: Name,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called.")],
    tier: Annotated[str | None, typer.Option("--tier", help="By default the default tier.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open an organisation's wallet (operators)."""
    body: dict[str, Any] = {"title": title, **({"tier": tier} if tier else {})}
    _show(_call("PUT", name, body=body), as_json=as_json)


@organisation.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show an organisation's members and what each may spend."""
    _show(_call("GET", name), as_json=as_json)


@organisation.command()
def admit(
    name: Name,
    member: Member,
    *,
    ceiling: Annotated[
        str | None,
        typer.Option("--ceiling", metavar="CREDITS", help="Most in a calendar month; without it, all there are."),
    ] = None,
    owner: Annotated[
        bool, typer.Option("--owner", help="May admit and dismiss, and see what everybody spent.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a user spend from the wallet, or change how much."""
    from swath.cli.quota import millicredits

    body = {
        "ceiling": None if ceiling is None else millicredits(ceiling),
        "role": "owner" if owner else "member",
    }
    _show_member(_call("PUT", name, member, body=body), as_json=as_json)


@organisation.command()
def dismiss(name: Name, member: Member, as_json: AsJson = False) -> None:
    """Let a user no longer spend from the wallet; what is held goes on to its end."""
    _show_member(_call("DELETE", name, member), as_json=as_json)


def _call(method: str, name: str, member: str | None = None, *, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from swath.client import session
    from swath.client.http import QUOTA, segment

    path = f"{QUOTA}/organisations/{segment(name.removeprefix('organisation:'))}"
    if member is not None:
        path += f"/members/{segment(member)}"
    told: dict[str, Any] = session.connection().json(method, path, **({"json": body} if body is not None else {}))
    return told


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    print_facts([("account", told.get("account")), ("title", told.get("title")), ("tier", told.get("tier"))])
    members = told.get("members") or []
    if members:
        print()
        print_table(_COLUMNS, [_row(one) for one in members])


def _show_member(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        print_table(_COLUMNS, [_row(told)])


def _row(member: dict[str, Any]) -> tuple[str, ...]:
    ceiling = member.get("ceiling")
    return (
        str(member.get("member") or ""),
        str(member.get("role") or ""),
        "all there are" if ceiling is None else credits_text(ceiling),
        credits_text(member.get("spent")),
        credits_text(member.get("held")),
        "dismissed" if member.get("removed_at") else ("pays by default" if member.get("is_default") else ""),
    )
