"""The command's root: loads a verb when it is used, and tells every error in one way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from swath.cli import verbs
from swath.cli.exits import Exit, epilog
from swath.cli.failures import tell


class Root(TyperGroup):
    """Lists every verb by name and help alone; the verb itself is imported when it is resolved."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Names in the order of `verbs`, the servers' last."""
        del ctx
        return [*verbs.CLIENT, *sorted(verbs.server_verbs())]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The loaded verb, or a stand-in that carries its help for the list in ``--help``."""
        del ctx
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        if verb := verbs.CLIENT.get(cmd_name):
            return TyperCommand(name=cmd_name, help=verb.help, rich_help_panel=verb.panel)
        if point := verbs.server_verbs().get(cmd_name):
            text = verbs.SERVER_HELP.get(cmd_name) or f"Brought by {point.value.partition('.')[0]}."
            return TyperCommand(name=cmd_name, help=text, rich_help_panel=verbs.SERVER)
        return None

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Import the verb that was asked for, then go on as usual."""
        name = args[0]
        if (
            name not in self.commands
            and (found := verbs.load(name, servers=verbs.is_servers(name, args[1:]))) is not None
        ):
            self.commands[name] = _as_command(name, found)
        elif name not in self.commands:
            # Only so that a misspelt verb is answered with the nearest ones.
            self.commands.update({known: self.get_command(ctx, known) for known in self.list_commands(ctx)})
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """The help page, and below it the exit codes, one a line (an epilog would be run together)."""
        super().format_help(ctx, formatter)
        formatter.write(f"{epilog()}\n")

    def main(self, args: Sequence[str] | None = None, **settings: Any) -> Any:  # type: ignore[override]
        """Run, tell what failed without a traceback, and exit with the code that `exits` documents."""
        given = list(sys.argv[1:] if args is None else args)
        if settings.pop("standalone_mode", True) is False:
            return super().main(given, standalone_mode=False, **settings)
        try:
            code = super().main(given, standalone_mode=False, **settings)
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except Exception as error:
            code = tell(error, as_json="--json" in given)
        sys.exit(int(code) if isinstance(code, int) else 0)


def _as_command(name: str, found: Any) -> Any:
    around = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
        return get_group(around).commands[name]
    around.command(name)(found)
    return get_command(around)


app = typer.Typer(
    cls=Root,
    help="Run algorithms next to an Earth-observation archive, and publish your own from a notebook.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"swath {version('swath')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the verb."""
    del version
