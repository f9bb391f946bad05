"""``swath receipts``: the keys that receipts are signed with and the log that they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.output import AsJson, print_json, print_table, remark
from swath.display import clean

receipts = typer.Typer(help="Publish, rotate and revoke the keys of receipts; save checkpoints.", no_args_is_help=True)

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save the document there.")]
Why = Annotated[str, typer.Option("--reason", help="Published with the key.")]
COLUMNS = ("key", "state", "made", "retired", "revoked", "reason")


@receipts.command()
def keys(output: Output = None, as_json: AsJson = False) -> None:
    """Show the keys; with -o, save the document that `swath verify --keys` takes."""
    from swath.client import receipts as client
    from swath.client import session

    found = client.fetch_keys(session.connection())
    if output:
        client.save(found.as_bytes(), output, overwrite=True)
    _show(found.as_dict(), as_json=as_json)
    remark(f"{found.origin}, head {found.head}")


@receipts.command()
def rotate(reason: Why, as_json: AsJson = False) -> None:
    """Make a new key and retire the present one (operators)."""
    from swath.client import receipts as client
    from swath.client import session

    _show(client.change_keys(session.connection(), reason=reason), as_json=as_json)


@receipts.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its whole id.")], reason: Why, as_json: AsJson = False
) -> None:
    """Believe nothing any more that a key signed; its receipts are issued anew (operators)."""
    from swath.client import receipts as client
    from swath.client import session

    _show(client.change_keys(session.connection(), reason=reason, revoked=key), as_json=as_json)


@receipts.command()
def checkpoint(output: Output = None, as_json: AsJson = False) -> None:
    """Show the latest signed checkpoint of the log; kept elsewhere, it shows later whether entries were cut off."""
    from swath.client import receipts as client
    from swath.client import session
    from swath.contract.receipts import check_checkpoint
    from swath.signatures import verify

    api = session.connection()
    envelope = client.fetch_checkpoint(api)
    found = check_checkpoint(envelope, client.fetch_keys(api), verify)
    if output:
        client.save(envelope.as_bytes(), output, overwrite=True)
    if as_json:
        print_json(found.as_dict())
    else:
        print(f"{found.size} entries, root {found.root.hex()}, signed {found.as_dict()['at']}")


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    names = ("id", "state", "created_at", "retired_at", "revoked_at", "reason")
    print_table(COLUMNS, [[clean(str(key[name] or "")) for name in names] for key in document["keys"]])
