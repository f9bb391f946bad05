"""Each user's JupyterLab server in a sandbox of its own, which outlives the hub."""

from __future__ import annotations

import asyncio
import html
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner
from jupyterhub.utils import random_port
from swath_sandbox import Allow, SandboxError, warden
from tornado import web
from traitlets import Bool, List, Unicode, Union
from traitlets import Callable as CallableTrait

from swath_hub import homes, sandboxes
from swath_hub.environment import user_environment
from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder
from swath_hub.kernelspecs import JUPYTER, JUPYTER_SETTINGS
from swath_hub.metering import notices
from swath_hub.metering.spawning import MeteredSpawner
from swath_hub.metering.usage import Reserved
from swath_hub.ports import answers
from swath_hub.state import load

GIB = 2**30
DEFAULT_PROFILE = {"name": "standard", "title": "Standard: 2 GB, 1 processor", "memory_bytes": 2 * GIB, "cpus": 1.0}
# Settings of JupyterHub that its single-user server reads; whatever else stands in the hub's environment stays out.
_HUB_VARIABLES = ("JUPYTERHUB_", "MEM_LIMIT", "CPU_LIMIT")
_GRACE_SECONDS = 5.0


class SwathSpawner(MeteredSpawner, Spawner):  # type: ignore[misc]
    """Starts ``jupyterhub-singleuser`` in bubblewrap, under a warden that the hub finds again after a restart."""

    data_folder = Unicode(help="The data folder of this copy.").tag(config=True)
    archive_folder = Unicode(help="The archive, shown read-only at /archive.").tag(config=True)
    allow_no_bwrap = Bool(help="Start without bubblewrap where there is none.").tag(config=True)
    allow_no_cgroups = Bool(help="Start without control groups where there are none.").tag(config=True)
    profiles = Union(
        [List(), CallableTrait()],
        default_value=[DEFAULT_PROFILE],
        help="""
        Sizes that a user may choose from: a list of mappings with `name`, `title`, `memory_bytes`, `cpus` and
        optionally `pids`, or a callable that gets the spawner and returns one. The first is the default.
        """,
    ).tag(config=True)
    place = Unicode(help="Folder of the warden that guards the running server.")

    # ---- what is started

    def profile_list(self) -> list[dict[str, Any]]:
        """The sizes that this user may choose from."""
        found = self.profiles(self) if isinstance(self.profiles, Callable) else self.profiles  # type: ignore[arg-type]
        return list(found) or [DEFAULT_PROFILE]

    def chosen_profile(self) -> dict[str, Any]:
        """The size asked for, by form or API alike.

        Raises
        ------
        tornado.web.HTTPError
            400 for one that this user may not have.
        """
        profiles = self.profile_list()
        wanted = self.user_options.get("profile", profiles[0]["name"])
        for profile in profiles:
            if profile["name"] == wanted:
                return profile
        names = ", ".join(profile["name"] for profile in profiles)
        raise web.HTTPError(400, f"There is no profile {str(wanted)[:40]!r} for you; there is: {names}")

    async def get_options_form(self) -> str:
        """A choice of sizes, when there is more than one; and why the last server was stopped, if it was."""
        profiles, stopped = self.profile_list(), await self.stopped_box()
        if len(profiles) < 2:
            return stopped
        options = "".join(
            f'<option value="{html.escape(one["name"])}">{html.escape(one["title"])}</option>' for one in profiles
        )
        choice = f'<select id="profile" name="profile" class="form-control">{options}</select>'
        return f'{stopped}<label for="profile">Size</label>{choice}'

    def options_from_form(self, formdata: dict[str, list[str]]) -> dict[str, Any]:
        chosen = formdata.get("profile", [])
        return {"profile": chosen[0]} if chosen else {}

    def metered_size(self) -> tuple[str, Reserved]:
        try:
            profile = self.chosen_profile()
        except web.HTTPError:
            if not self.place:
                raise
            # It runs with a size that is offered no more.
            profile = self.profile_list()[0]
        return profile["title"], Reserved(memory_bytes=int(profile["memory_bytes"]), cpus=float(profile["cpus"]))

    def metered_handle(self) -> dict[str, str]:
        return {"place": self.place}

    @property
    def _house(self) -> sandboxes.House:
        allowed = {Allow.NO_BWRAP: self.allow_no_bwrap, Allow.NO_CGROUPS: self.allow_no_cgroups}
        return sandboxes.House(
            folder=DataFolder(Path(self.data_folder)),
            archive=Path(self.archive_folder),
            allow=frozenset(one for one, given in allowed.items() if given),
        )

    def get_env(self) -> dict[str, str]:
        """The whole environment of the server: a list of what is let in."""
        told = {name: str(value) for name, value in super().get_env().items() if name.startswith(_HUB_VARIABLES)}
        home, binaries = f"/home/{self.user.name}", str(Path(sys.executable).parent)
        cpus = str(max(1, round(float(self.chosen_profile()["cpus"]))))
        return {
            **told,
            **user_environment(load(DataFolder(Path(self.data_folder)).state)),
            "HOME": home,
            "USER": self.user.name,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
            "JUPYTER_PATH": JUPYTER,
            "JUPYTER_CONFIG_PATH": JUPYTER_SETTINGS,
            "SWATH_NOTICES": f"{notices.INSIDE}/{notices.FILE}",
            # Short, since a Unix socket's path may have 107 bytes; and gone with the sandbox.
            "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108 - the sandbox's own /tmp
            # Threads of numerical libraries beyond the processors one may use only wait for each other.
            "OMP_NUM_THREADS": cpus,
            "OPENBLAS_NUM_THREADS": cpus,
        }

    def _prepared(self, profile: dict[str, Any]) -> tuple[Path, Callable[[], None]]:
        """The folder of a new warden, and what starts it; blocking."""
        house, name = self._house, self.user.name
        folder, home = house.folder, Path("/home", name)
        homes.prepare(folder.homes / name, uid=house.uid(name))
        told = [(self.metering.board.open(name), Path(notices.INSIDE))] if self.metering is not None else []
        sandbox = house.sandbox(
            user=name,
            argv=[*self.cmd, *self.get_args()],
            env=self.get_env(),
            pythons=[Path(sys.executable), *house.pythons()],
            home=str(home),
            # Not the home: bubblewrap enters it before it becomes the user, to whom alone the home is open.
            cwd="/tmp",  # noqa: S108
            ro_binds=[(folder.samples, home / "samples"), (folder.jupyter, Path(JUPYTER)), *told],
            rw_binds=[(folder.homes / name, home)],
        )
        size = sandboxes.Size(
            memory_bytes=int(profile["memory_bytes"]), cpus=float(profile["cpus"]), pids=int(profile.get("pids", 512))
        )
        sandboxes.forget_old(folder.servers, f"{name}@")
        place = folder.servers / f"{name}@{time.time_ns()}"

        def go() -> None:
            group = house.group("lab", name)
            sandboxes.start(place, sandbox=sandbox, group=group, size=size, allow=house.allow, grace=_GRACE_SECONDS)

        return place, go

    # ---- JupyterHub's contract

    async def start(self) -> tuple[str, int]:
        """Start the server; JupyterHub then waits for its door."""
        self.ip, self.port = "127.0.0.1", random_port()
        self.notebook_dir = f"/home/{self.user.name}"
        profile = self.chosen_profile()
        self.mem_limit, self.cpu_limit = int(profile["memory_bytes"]), float(profile["cpus"])
        try:
            place, go = self._prepared(profile)
            await self.metered_as({"place": place.name})
            await asyncio.to_thread(go)
        except (SandboxError, OperatorError, ValueError, OSError) as error:
            self.log.exception("The server of %s did not start", self.user.name)
            text = "Your server could not be started. The operator finds the reason in the log."
            raise web.HTTPError(500, text) from error
        self.place = place.name
        await self._wait_open(place)
        await self.forget_stop()
        return self.ip, self.port

    async def _wait_open(self, place: Path) -> None:
        """Until the server listens; one that has ended by then is told at once instead of after a timeout."""
        while not await asyncio.to_thread(answers, self.port):
            ended = warden.read_exit(place)
            if ended is not None or not await asyncio.to_thread(sandboxes.running, place):
                self.log.error("The server of %s ended while it started: %s; see %s", self.user.name, ended, place)
                text = "Your server ended while it started. The operator finds the reason in the log."
                raise web.HTTPError(500, text)
            await asyncio.sleep(0.1)

    def _place(self) -> Path | None:
        if not self.place or os.sep in self.place:
            return None
        return DataFolder(Path(self.data_folder)).servers / self.place

    async def poll(self) -> int | None:
        """``None`` while the server runs, else its exit code; right also after a restart of the hub."""
        place = self._place()
        if place is None:
            return 0
        if await asyncio.to_thread(sandboxes.running, place):
            return None
        ended = warden.read_exit(place) if place.is_dir() else None
        self.clear_state()
        if ended is None:
            return 1
        self.log.info("The server of %s ended: %s %s", self.user.name, ended.reason, ended.message)
        return ended.exit_code if ended.exit_code is not None else 1

    async def stop(self, now: bool = False) -> None:
        """End the server with its kernels, terminals and whatever else they started."""
        place = self._place()
        if place is None:
            return
        seconds = 2.0 if now else _GRACE_SECONDS + 10
        if not await asyncio.to_thread(sandboxes.stop, place, seconds=seconds):
            self.log.error("The server of %s can't be ended; see %s", self.user.name, place)

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        if self.place:
            state["place"] = self.place
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.place = str(state.get("place", ""))

    def clear_state(self) -> None:
        super().clear_state()
        self.place = ""
