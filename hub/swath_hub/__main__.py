"""`python -m swath_hub up …`: the operator's verbs without the `swath` command."""

from __future__ import annotations

import typer

from swath_hub import cli

app = typer.Typer(no_args_is_help=True, add_completion=False)
for name, function in cli.COMMANDS.items():
    app.command(name)(function)
app.add_typer(cli.user, name="user")

if __name__ == "__main__":
    app()
