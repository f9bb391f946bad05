"""From the operator's `swath up` to a running hub: checked, locked, with its ports."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from swath_sandbox import Allow, SandboxUnavailable, check_isolation

from swath_hub import lock, node, ports, secret
from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder
from swath_hub.processes import ProcessId
from swath_hub.services import kept_environment
from swath_hub.settings import HubSettings
from swath_hub.state import State, load, save
from swath_hub.users import UserFile

INITIAL_ADMIN = "admin"
_REQUEST = re.compile(r" log:\d+\] \d{3} |_xsrf_utils|\[ConfigProxy\]")
_LOG_BYTES = 20 * 2**20
_FOR_HUB = ("SWATH_PROXY_COMMAND", "SWATH_PROXY_FOLDER", "SWATH_SAMPLES")
_FOR_SERVICES = ("SWATH_QUOTA_", "SWATH_MARKETPLACE_", "SWATH_ARCHIVE_")


def first_admin(folder: DataFolder) -> Path | None:
    """Make sure somebody can sign in; the file of the generated password, or ``None`` when an operator set up users."""
    users = UserFile(folder.users)
    if not users.list():
        password = secret.kept(folder.initial_password, secret.passphrase)
        users.add(INITIAL_ADMIN, admin=True)
        users.set_password(INITIAL_ADMIN, password)
    return folder.initial_password if folder.initial_password.exists() else None


def prepare(settings: HubSettings, *, bind: str, port: int | None) -> tuple[State, int]:
    """Everything before the hub's process: folders, lock, users, ports.

    Returns
    -------
    The state to save once the hub's process is known, and the descriptor that holds the lock.

    Raises
    ------
    OperatorError
        With what is in the way and its mend.
    """
    folder = settings.folder
    folder.create()
    held = lock.take(folder.lock)
    node.proxy_command()
    _check_isolation(settings)
    if settings.archive and not Path(settings.archive).is_dir():
        raise OperatorError(
            code="no-archive",
            message=f"{settings.archive} is no folder",
            mend="leave --archive out for the archive in the data folder; `swath archive init` fills it",
        )
    first_admin(folder)
    before = load(folder.state)
    chosen = ports.choose(before.ports, bind=bind, wanted=port)
    _turn_log(folder.log)
    return replace(before, bind=bind, ports=chosen, hub=None), held


def _check_isolation(settings: HubSettings) -> None:
    given = {Allow.NO_BWRAP: settings.allow_no_bwrap, Allow.NO_CGROUPS: settings.allow_no_cgroups}
    allowed = [allow for allow, wanted in given.items() if wanted]
    try:
        have = check_isolation(allowed)
    except SandboxUnavailable as error:
        raise OperatorError(
            code="no-isolation",
            message=f"users' code can't be isolated on this machine: {error}",
            mend="`swath doctor` says more; --allow-no-bwrap and --allow-no-cgroups start without",
        ) from error
    for allow, there in ((Allow.NO_BWRAP, have.bwrap), (Allow.NO_CGROUPS, have.cgroups)):
        if not there:
            print(f"Warning: {allow.lost}", file=sys.stderr)


def run_hub(settings: HubSettings, state: State, *, logs: bool) -> NoReturn:
    """Become JupyterHub."""
    folder = settings.folder
    myself = ProcessId.of(os.getpid())
    assert myself is not None
    save(folder.state, state.with_hub(myself, started_at=datetime.now(UTC).isoformat(timespec="seconds")))
    environment = {**kept_environment(), **settings.to_environment(), "HOME": str(folder.hub)}
    # Named by the operator for the hub itself, or for one service, whose process alone gets it in the end.
    for name, value in os.environ.items():
        if name in _FOR_HUB or name.startswith(_FOR_SERVICES):
            environment.setdefault(name, value)
    if not logs:
        log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
    os.chdir(folder.hub)
    os.umask(0o022)
    config = Path(__file__).with_name("jupyterhub_config.py")
    os.execve(  # noqa: S606
        sys.executable,
        [sys.executable, "-m", "swath_hub.app", "--config", str(config)],
        environment,
    )


def _turn_log(log: Path) -> None:
    """Keep one log of earlier starts beside this one's when it has grown."""
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log without what only tells of requests, for an operator whose hub did not come up."""
    try:
        with open(log, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65_536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if not _REQUEST.search(line)][-count:])
