"""The `swath` command."""

from __future__ import annotations


def main() -> None:
    """Run the command with the arguments of this process; never returns."""
    from swath.cli.app import app

    app(prog_name="swath")
