"""The operator's verbs: `up`, `down`, `status`, `user`, `doctor`. The `swath` command finds them by entry points."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder, default_root

#: Exit code of `status` when nothing runs: what the `swath` command says of a server that does not answer.
NOT_RUNNING = 8
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Data = Annotated[Path | None, typer.Option(help="Data folder; without it $SWATH_DATA, else ~/.local/share/swath")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


def folder_of(data: Path | None) -> DataFolder:
    """The data folder that a command works on."""
    return DataFolder(data.expanduser().resolve() if data else default_root())


@contextmanager
def told(as_json: bool = False) -> Iterator[None]:
    """Turn an error that an operator can mend into its text and exit code 1."""
    try:
        yield
    except OperatorError as error:
        if as_json:
            typer.echo(json.dumps({"error": {"code": error.code, "message": error.message, "mend": error.mend}}))
        else:
            typer.secho(f"{error.message}.", fg="red", err=True)
            if error.mend:
                typer.echo(f"  {error.mend}", err=True)
        raise typer.Exit(1) from None


def up(  # noqa: PLR0917 - options of a command, which nobody calls by position
    data: Data = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Public port [default: the last one, or 8000]")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address the public port binds")] = "127.0.0.1",
    archive: Annotated[Path | None, typer.Option(help="Folder of the archive; without it DATA/archive")] = None,
    idle_timeout: Annotated[
        int, typer.Option(help="Stop a JupyterLab server nobody used for so many seconds; 0: never")
    ] = 8 * 3600,
    token_max_days: Annotated[
        int, typer.Option(help="Most days that a token lasts which somebody makes; 0: any")
    ] = 365,
    config: Annotated[Path | None, typer.Option(help="A JupyterHub config file, read after Swath's own")] = None,
    allow_no_bwrap: Annotated[
        bool,
        typer.Option(
            "--allow-no-bwrap",
            help="Start without bubblewrap: users' code then sees this machine's files and processes",
        ),
    ] = False,
    allow_no_cgroups: Annotated[
        bool,
        typer.Option(
            "--allow-no-cgroups",
            help="Start without control groups: nothing then bounds users' memory, processes and CPU",
        ),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return when every door is open; Swath stays")] = False,
    logs: Annotated[
        bool, typer.Option("--logs", help="Write the log to the terminal instead of DATA/logs/hub.log")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start Swath: JupyterHub and its proxy, and under it wallets, marketplace, archive and Dask."""
    from swath_hub import start
    from swath_hub.settings import HubSettings

    with told(as_json):
        settings = HubSettings(
            data=str(folder_of(data).root),
            archive=str(archive.expanduser().resolve()) if archive else "",
            idle_timeout_seconds=idle_timeout,
            token_max_days=token_max_days,
            extra_config=str(config.expanduser().resolve()) if config else "",
            allow_no_bwrap=allow_no_bwrap,
            allow_no_cgroups=allow_no_cgroups,
        )
        state, held = start.prepare(settings, bind=bind, port=port)
        hub = os.fork() if detach else os.getpid()
        if hub == 0:
            os.setsid()
            start.run_hub(settings, state, logs=False)
        if not detach and _fork_watcher():
            start.run_hub(settings, state, logs=logs)
        # Only the hub may go on holding the lock.
        os.close(held)
        _announce(settings.folder, state, hub=hub, as_json=as_json, exits=detach)


def _fork_watcher() -> bool:
    """Leave the caller to become the hub (true) and go on as a process that is not the hub's child (false)."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return True
    if os.fork():
        os._exit(0)
    return False


def _announce(folder: DataFolder, state: Any, *, hub: int, as_json: bool, exits: bool) -> None:
    from swath_hub import doors, secret, start
    from swath_hub.processes import ProcessId

    process = ProcessId.of(hub)
    seconds: dict[str, float] = {}

    def say(text: str) -> None:
        if not as_json:
            typer.echo(text)

    def opened(door: doors.Door, after: float) -> None:
        seconds[door.name] = round(after, 2)
        say(f"  {door.name:<13} ready after {after:4.1f} s   {door.text}")

    say(f"Swath starts at {state.url} on {folder.root}")
    token = secret.proxy_token(folder.secrets)
    closed = doors.watch(state, token=token, opened=opened, alive=lambda: process is not None and process.alive())
    if as_json:
        document = {"url": state.url, "data": str(folder.root), "doors": seconds, "closed": [d.name for d in closed]}
        typer.echo(json.dumps(document))
    if closed:
        typer.secho(f"Not ready: {', '.join(door.name for door in closed)}. {folder.log} ends so:", fg="red", err=True)
        typer.echo(start.last_lines(folder.log), err=True)
    else:
        if folder.initial_password.exists():
            say(f"Sign in as {start.INITIAL_ADMIN!r} with the password in {folder.initial_password}")
        say(f"The log is {folder.log}")
        stop = "`swath down`" if exits else "Ctrl-C ends the hub and leaves users' servers and runs going; `swath down`"
        say(f"{stop} ends it all.")
        if state.bind not in _LOOPBACK:
            say(f"Warning: {state.bind} is reached from outside and speaks without TLS; put a proxy with TLS in front.")
    if exits:
        raise typer.Exit(1 if closed else 0)
    os._exit(0)


def down(
    data: Data = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave JupyterLab servers, Dask clusters and runs going")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End Swath: the hub, its services, JupyterLab servers, Dask clusters and runs."""
    from swath_hub import stop

    with told(as_json):
        ended = stop.stop(folder_of(data), keep=keep)
    if as_json:
        typer.echo(json.dumps(ended))
    else:
        typer.echo("Swath has ended." if ended["hub"] else "Swath did not run.")
        for kind, count in ended["sandboxes"].items():
            typer.echo(f"  {count} {kind} ended")


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say whether Swath runs, where, and which doors are open (exit code 8 when it does not run)."""
    from swath_hub import doors, lock
    from swath_hub.state import load

    folder = folder_of(data)
    with told(as_json):
        state = load(folder.state)
    running = lock.held(folder.lock) and state.running
    found = {door.name: running and doors.open_now(state, door) for door in doors.DOORS}
    if as_json:
        url = state.url if running else None
        typer.echo(json.dumps({"running": running, "url": url, "data": str(folder.root), "doors": found}))
    elif running:
        typer.echo(f"Swath runs at {state.url} on {folder.root} since {state.started_at}")
        for name, is_open in found.items():
            typer.echo(f"  {name:<13} {'open' if is_open else 'does not answer'}")
    else:
        typer.echo(f"Swath does not run on {folder.root}")
    raise typer.Exit(0 if running and all(found.values()) else (1 if running else NOT_RUNNING))


def doctor(data: Data = None, as_json: AsJson = False) -> None:
    """Look at everything that Swath needs on this machine; exit code 1 when something keeps it from starting."""
    from swath_hub import doctor as look

    checks = look.examine(folder_of(data))
    failed = [check for check in checks if check.verdict is look.Verdict.FAILED]
    if as_json:
        typer.echo(json.dumps({"ok": not failed, "checks": [check.as_dict() for check in checks]}))
    else:
        colours = {look.Verdict.OK: "green", look.Verdict.WARNING: "yellow", look.Verdict.FAILED: "red"}
        for check in checks:
            typer.secho(f"{check.verdict.value:<8}", fg=colours[check.verdict], nl=False)
            typer.echo(f"{check.name:<16}{check.text}")
            if check.mend:
                typer.echo(f"{'':<24}{check.mend}")
    raise typer.Exit(1 if failed else 0)


user = typer.Typer(no_args_is_help=True, help="The people who may sign in.")
Name = Annotated[str, typer.Argument(help="Name of the user")]


def _users(data: Path | None) -> Any:
    from swath_hub.users import UserFile

    folder = folder_of(data)
    folder.create()
    return UserFile(folder.users)


@user.command("add")
def user_add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="May act on what belongs to others")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add a user (no harm if there is one) and print a one-time password."""
    with told(as_json):
        users = _users(data)
        fresh = users.add(name, admin=admin)
        passcode = users.new_passcode(name)
    if as_json:
        typer.echo(json.dumps({"name": name, "added": fresh, "passcode": passcode}))
    else:
        typer.echo(f"{'added' if fresh else 'there is'} {name}; one-time password, good for 24 hours: {passcode}")


@user.command("passcode")
def user_passcode(name: Name, data: Data = None, as_json: AsJson = False) -> None:
    """Print a one-time password, good for 24 hours and one sign-in."""
    with told(as_json):
        passcode = _users(data).new_passcode(name)
    typer.echo(json.dumps({"name": name, "passcode": passcode}) if as_json else passcode)


@user.command("password")
def user_password(name: Name, data: Data = None) -> None:
    """Set a lasting password, typed twice or read from standard input."""
    with told():
        users = _users(data)
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        users.set_password(name, password)


@user.command("remove")
def user_remove(name: Name, data: Data = None) -> None:
    """Remove a user; home, algorithms and wallet stay."""
    with told():
        _users(data).remove(name)


@user.command("list")
def user_list(data: Data = None, as_json: AsJson = False) -> None:
    """List users."""
    with told(as_json):
        known = _users(data).list()
    if as_json:
        typer.echo(json.dumps([{"name": one.name, "admin": one.admin} for one in known]))
        return
    for one in known:
        typer.echo(f"{one.name}{'  (operator)' if one.admin else ''}")


COMMANDS: dict[str, Callable[..., None]] = {"up": up, "down": down, "status": status, "doctor": doctor}
