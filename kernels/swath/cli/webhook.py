"""``swath webhook``: have events posted to an address, and see what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swath.cli.exits import Exit
from swath.cli.output import AsJson, print_facts, print_json, print_table, remark

if TYPE_CHECKING:
    from swath.client.webhooks import Webhook

webhook = typer.Typer(help="Have what happens to your runs posted to an address of yours.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, or the beginning of it.")]


@webhook.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to post: https, open to the internet.")],
    *,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            "-e",
            metavar="NAME",
            help="run.start, run.progress, run.output, run.end (.finished, .error, .canceled) or notice; may be "
            "repeated. By default run.start and run.end.",
        ),
    ] = None,
    algorithm: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Of runs of this one only.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run only.")] = None,
    description: Annotated[str, typer.Option(help="For you to know it by.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a webhook and show its secret, which is not shown again."""
    from swath.client import session, webhooks

    made = webhooks.add(session.connection(), url, events=event, algorithm=algorithm, run=run, description=description)
    _show(made, as_json=as_json)
    remark("Keep the secret where the receiver finds it: it is not shown again.")


@webhook.command("list")
def list_(as_json: AsJson = False) -> None:
    """List your webhooks."""
    from swath.client import session, webhooks

    found = webhooks.every(session.connection())
    if as_json:
        print_json({"webhooks": [one.as_dict() for one in found]})
    elif found:
        print_table(webhooks.COLUMNS, [one.row() for one in found])
    else:
        remark("you have no webhooks; `swath webhook add URL` adds one")


@webhook.command()
def remove(webhook_id: Id, as_json: AsJson = False) -> None:
    """Delete a webhook; what was not sent yet never is."""
    found = _get(webhook_id)
    found.remove()
    if as_json:
        print_json({"removed": found.id})
    else:
        print(f"removed {found.id}")


@webhook.command()
def switch(
    webhook_id: Id,
    on: Annotated[bool, typer.Option("--on/--off", help="Send to it again, or no more.")],
    as_json: AsJson = False,
) -> None:
    """Switch a webhook on again, or off."""
    _show(_get(webhook_id).change(active=on), as_json=as_json)


@webhook.command()
def rotate(
    webhook_id: Id,
    overlap: Annotated[float, typer.Option(min=0, max=168, metavar="HOURS", help="How long both secrets sign.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Give a webhook a new secret and show it; it is not shown again."""
    found = _get(webhook_id)
    found.rotate(overlap_hours=overlap)
    _show(found, as_json=as_json)


@webhook.command("test")
def ping(webhook_id: Id, as_json: AsJson = False) -> None:
    """Send a ping and show what came of it; ends with 1 when it was not taken."""
    told = _get(webhook_id).test()
    if as_json:
        print_json(told)
    else:
        facts = ("id", "status", "answer", "error")
        print_facts([(name, "" if told.get(name) is None else told[name]) for name in facts])
    if told["status"] != "delivered":
        raise typer.Exit(Exit.RUN_FAILED)


@webhook.command()
def deliveries(
    webhook_id: Id,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    again: Annotated[str | None, typer.Option(metavar="MESSAGE", help="Send this one again first.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was sent and is to be, the latest first."""
    from swath.client import webhooks

    found = _get(webhook_id)
    if again:
        found.redeliver(again)
    told = found.deliveries(limit=limit)
    if as_json:
        print_json({"deliveries": told})
    elif told:
        print_table(webhooks.DELIVERY_COLUMNS, webhooks.delivery_rows(told))
    else:
        remark("nothing was sent there yet")


def _get(webhook_id: str) -> Webhook:
    from swath.client import session, webhooks

    return webhooks.get(session.connection(), webhook_id)


def _show(found: Webhook, *, as_json: bool) -> None:
    if as_json:
        print_json(found.as_dict())
    else:
        print_facts(found.facts())
