"""``swath token``: one token for each purpose, which allows what that needs and ends by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from swath.cli.output import AsJson, print_json, print_table, remark

token = typer.Typer(
    help="Make, list and revoke tokens, one for each purpose.", no_args_is_help=True, add_completion=False
)


@token.command()
def create(
    purpose: Annotated[str, typer.Option("--purpose", help='What it is for, e.g. "nightly NDVI".')],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it allows: read, execute or publish; may be given several times."),
    ] = None,
    days: Annotated[int, typer.Option("--days", help="How long it lasts.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, once: it can't be shown again.

    Each token allows reading; `--scope execute` also starts and cancels runs, `--scope publish` publishes versions.
    """
    from swath.client import session, tokens

    made = tokens.create(session.connection(), purpose=purpose, scopes=scope or ["read"], days=days)
    if as_json:
        print_json(made.as_dict())
        return
    # The token alone, so that it can be piped into a keeper of secrets.
    print(made.secret)
    remark(f"allows {', '.join(made.scopes)} until {(made.expires_at or 'it is revoked')[:10]}; keep it secret")


@token.command("list")
def list_(as_json: AsJson = False) -> None:
    """List your tokens: purpose, what each allows, until when, and when it was used last."""
    from swath.client import session, tokens

    found = tokens.list_tokens(session.connection())
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    print_table(
        ("id", "purpose", "allows", "expires", "last used"),
        [
            (
                one.id,
                one.purpose,
                ", ".join(one.scopes) or "nothing of Swath",
                "expired" if tokens.is_over(one) else (one.expires_at or "never")[:10],
                (one.last_used_at or "never")[:16].replace("T", " "),
            )
            for one in found
        ],
    )


@token.command()
def revoke(
    which: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, or its purpose.")], as_json: AsJson = False
) -> None:
    """End a token; within half a minute nothing accepts it any more."""
    from swath.client import session, tokens

    ended = tokens.revoke(session.connection(), which)
    if as_json:
        print_json(ended.as_dict())
    else:
        print(f"revoked {ended.id} ({ended.purpose})")
