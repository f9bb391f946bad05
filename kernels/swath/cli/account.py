"""Verbs about who is calling: login, logout, whoami, wallet."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table, remark

if TYPE_CHECKING:
    from swath.client.wallet import Wallet


def login(
    url: Annotated[str, typer.Argument(help="Address of the hub, e.g. https://swath.example.org/")],
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input instead of asking for it.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain http to another machine: the token can be read on its way.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in to a Swath hub and keep its token for later commands.

    The token is made at URL/hub/token in the browser. It is kept in ~/.config/swath/credentials.json, which only you
    may read, and never shown.
    """
    from swath.client import session
    from swath.client.errors import Invalid

    address = session.reachable(url, insecure=insecure)
    if token_stdin:
        token = sys.stdin.readline(16384)
    elif sys.stdin.isatty():
        from getpass import getpass

        remark(f"Make a token at {address}hub/token")
        token = getpass("Token (is not shown): ")
    else:
        raise Invalid("there is no terminal to ask for the token on", code="no-terminal", mend="use --token-stdin")
    identity = session.sign_in(address, token, insecure=insecure)
    if as_json:
        print_json(identity.as_dict())
        return
    print(f"Signed in as {identity.name} at {identity.url}")
    if identity.lacking:
        remark(f"This token lacks {', '.join(identity.lacking)}: some commands will be refused.")


def logout(
    url: Annotated[str | None, typer.Argument(help="Which hub; the current one when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Forget the token of a hub.

    The token itself stays valid until it is revoked at the hub's token page.
    """
    from swath.client.credentials import Store, checked_url
    from swath.client.errors import NotSignedIn

    wanted = checked_url(url, insecure=True) if url else None
    forgotten = Store.default().forget(wanted)
    if forgotten is None:
        raise NotSignedIn(f"not signed in{f' to {wanted}' if wanted else ''}", code="not-signed-in")
    if as_json:
        print_json({"forgotten": forgotten})
    else:
        print(f"Forgot the token for {forgotten}; revoke it at {forgotten}hub/token")


def whoami(as_json: AsJson = False) -> None:
    """Show who is signed in, where, and what the token allows."""
    from swath.client import session

    identity = session.whoami(session.connection())
    if as_json:
        print_json(identity.as_dict())
        return
    print_facts(
        [
            ("user", identity.name),
            ("hub", identity.url),
            ("token from", identity.source),
            ("groups", ", ".join(identity.groups)),
            ("allows", ", ".join(scope.removeprefix("custom:swath:") for scope in identity.scopes) or "nothing"),
        ]
    )


def wallet(
    charges: Annotated[
        bool, typer.Option("--charges", help="What ended lately: held, charged and why, one a line.")
    ] = False,
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="A month's statement.")] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Another wallet, such as organisation:acme, if you may see it.")
    ] = None,
    pay_from: Annotated[
        str | None,
        typer.Option(
            "--pay-from", metavar="WALLET", help="Pay from here on from this wallet: your name, or organisation:NAME."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what your wallet holds, until when it lasts, and what was taken from it."""
    from swath.client import session
    from swath.client import wallet as wallets
    from swath.client.http import QUOTA

    api = session.connection()
    if pay_from is not None:
        chosen = api.json("PUT", f"{QUOTA}/wallet/payer", json={"payer": pay_from})
        if as_json:
            print_json(chosen)
        else:
            print(f"what you run from now on is paid from {chosen.get('payer')}")
        return
    if month is not None:
        show_statement(wallets.statement(api, month, account=account), as_json=as_json)
        return
    if charges:
        ended = wallets.charges(api, account=account)
        if as_json:
            print_json([dict(one) for one in ended])
        elif ended:
            print_table(wallets.CHARGE_COLUMNS, wallets.charge_rows(ended))
        else:
            print("nothing ended in the last 30 days")
        return
    show_wallet(wallets.read(api, account=account), as_json=as_json)


def show_wallet(found: Wallet, *, as_json: bool) -> None:
    """Print a wallet."""
    if as_json:
        print_json(found.as_dict())
        return
    print(found.verdict)
    if found.outlook:
        print(found.outlook)
    for columns, rows in found.tables():
        print()
        print_table(columns, rows)


def show_statement(told: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a month's statement."""
    from swath.client import wallet as wallets

    if as_json:
        print_json(dict(told))
        return
    print_facts(wallets.statement_facts(told))
    if rows := wallets.line_rows(told):
        print()
        print_table(wallets.LINE_COLUMNS, rows)
