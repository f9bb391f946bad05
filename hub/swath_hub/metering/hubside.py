"""The hub around the meters: its settings, its servers, and the ways by which users and operators are told."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from swath_quota.client import HttpQuotaClient
from traitlets import Bool, Float, Unicode, default
from traitlets import Callable as CallableTrait
from traitlets.config import LoggingConfigurable

from swath_hub.metering import words
from swath_hub.metering.decisions import Alarm, Policy, Warn
from swath_hub.metering.gauge import Gauge, WardenGauge
from swath_hub.metering.goodbye import interrupt_kernels
from swath_hub.metering.keeper import Keeper, Known
from swath_hub.metering.notices import Notice, NoticeBoard
from swath_hub.metering.port import LabQuota
from swath_hub.metering.record import Record
from swath_hub.metering.records import Records
from swath_hub.metering.stops import Stops
from swath_hub.metering.teller import Teller

EVENT = "https://schema.swath.org/hub/events/lab-credits"
_CODES = {Alarm.SHARE: "credits-low", Alarm.MINUTES: "credits-end-soon"}
_THREADS = 4
#: What a stop takes beyond the time for saving: SIGTERM and its grace, the proxy, the answer of kernels.
_STOP_SECONDS = 20.0


class LabMetering(LoggingConfigurable):
    """Metering of Lab servers for one hub. Without `quota_url` servers are neither held for nor metered."""

    quota_url = Unicode(help="Where the quota service stands.").tag(config=True)
    token_file = Unicode(help="File with the hub's own token for it; readable by the operator alone.").tag(config=True)
    folder = Unicode(help="Folder in which meters, notices and reasons are kept.").tag(config=True)
    servers_folder = Unicode(help="Folder of the wardens of users' servers.").tag(config=True)
    spawn_without_quota = Bool(
        False,
        help="""
        Start servers also while the quota service does not answer. They are held for as soon as it does; until then
        nobody pays for them.
        """,
    ).tag(config=True)
    notify = CallableTrait(
        None,
        allow_none=True,
        help="""
        Called with (user, notice) whenever a user is warned or a server is stopped for want of credits: the name of
        the user, and an object with `code`, `text` and `at`. May be async. What it raises is logged.
        """,
    ).tag(config=True)
    heartbeat_seconds = Float(30.0, min=0.1, help="How often each server is looked at.").tag(config=True)
    save_seconds = Float(
        35.0, min=0.0, help="Time between the interruption of kernels and the stop; JupyterLab saves every 30 s."
    ).tag(config=True)
    ahead_seconds = Float(
        3600.0, min=1.0, help="What a hold pays for from now on, at its beginning and whenever half of it is used up."
    ).tag(config=True)
    warn_seconds = Float(900.0, min=0.0, help="Warn when credits last no longer than this.").tag(config=True)
    warn_share = Float(0.8, min=0.0, max=1.0, help="Warn when this share of what can be paid is used.").tag(config=True)

    def __init__(self, app: Any, **settings: Any) -> None:
        self._app = app
        super().__init__(parent=app, **settings)
        place = Path(self.folder)
        self.board = NoticeBoard(place / "notices")
        self.stops = Stops(place / "stops")
        if app.eventlog is not None:
            schema = files("swath_hub.metering") / "events" / "lab_credits.yaml"
            app.eventlog.register_event_schema(schema.read_text())
        # JupyterHub calls what it finds there with who looks; the page asks for whose server it is.
        app.tornado_settings.setdefault("template_vars", {})["lab_stopped"] = lambda _looks: self.stopped_box
        self.keeper = self._keeper(place) if self.quota_url else None

    @classmethod
    def of(cls, app: Any) -> LabMetering:
        """The one of the hub `app`; made at the first call."""
        found = getattr(app, "swath_lab_metering", None)
        if found is None:
            found = app.swath_lab_metering = cls(app)
        assert isinstance(found, cls)
        return found

    @property
    def quota_page(self) -> str:
        """Where users look at their wallets."""
        return f"{self._app.base_url}services/quota/"

    @property
    def policy(self) -> Policy:
        return Policy(
            ahead_seconds=self.ahead_seconds,
            margin_seconds=self.ahead_seconds / 2,
            warn_seconds=self.warn_seconds,
            warn_share=self.warn_share,
            stop_seconds=self.save_seconds + self.heartbeat_seconds + _STOP_SECONDS,
        )

    def _keeper(self, place: Path) -> Keeper:
        teller = Teller(self.quota(), gauge=self.gauge(), records=Records(place / "meters"), policy=self.policy)
        # Threads of their own: the hub's others must not wait behind a quota service that is slow.
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab-metering")
        return Keeper(teller, self, threads=threads, heartbeat_seconds=self.heartbeat_seconds)

    def quota(self) -> LabQuota:
        """The quota service, asked in the hub's own name."""
        token = Path(self.token_file).read_text().strip()
        # Two attempts: while it is silent somebody waits on the page where servers start.
        client: LabQuota = HttpQuotaClient(self.quota_url, token, timeout_seconds=5, attempts=2)
        return client

    def gauge(self) -> Gauge:
        """What reads servers' use; another on a cluster."""
        return WardenGauge(Path(self.servers_folder))

    @default("log")
    def _app_log(self) -> Any:
        return self._app.log

    # ---- what the keeper asks

    def servers(self) -> list[Known]:
        found = []
        for user in self._app.users.values():
            for spawner in list(user.spawners.values()):
                if (spawner.active or spawner.pending) and hasattr(spawner, "metered_size"):
                    title, reserved = spawner.metered_size()
                    found.append(
                        Known(
                            user=user.name,
                            server=spawner.name,
                            title=title,
                            reserved=reserved,
                            handle=spawner.metered_handle(),
                            pending=bool(spawner.pending),
                        )
                    )
        return found

    async def warn(self, record: Record, warn: Warn) -> None:
        text = words.warning(warn, share=self.warn_share, save_seconds=self.save_seconds)
        await self._tell(record, Notice(code=_CODES[warn.kind], text=text, at=_now()), minutes=warn.minutes)

    async def stop_gracefully(self, record: Record) -> None:
        name = record.user
        user = self._app.users.get(name)
        spawner = user.spawners.get(record.server) if user is not None else None
        if user is None or spawner is None or not spawner.active or spawner.pending:
            return
        notice = Notice(code="credits-gone", text=words.stopping(self.save_seconds), at=_now())
        await self._tell(record, notice, minutes=0)
        count = await interrupt_kernels(user, spawner)
        self.log.info("The credits of %s are used up: %d kernels interrupted, the server stops", name, count)
        await asyncio.sleep(self.save_seconds)
        if not spawner.active or spawner.pending:
            return
        await asyncio.to_thread(self.stops.put, name, record.server, words.credits_gone(_now()))
        spawner._stop_pending = True
        try:
            await self._app.proxy.delete_user(user, record.server)
            await user.stop(record.server)
        finally:
            spawner._stop_pending = False

    def stopped_box(self, user: str, server: str) -> str:
        """HTML that says why the last server was stopped; empty when there is nothing to say. Reads a small file."""
        why = self.stops.get(user, server)
        return words.stopped_html(why, quota_page=self.quota_page) if why else ""

    async def _tell(self, record: Record, notice: Notice, *, minutes: int) -> None:
        self.log.info("%s is told of %s", record.user, notice.code)
        try:
            await asyncio.to_thread(self.board.post, record.user, notice)
        except OSError:
            self.log.exception("A notice to %s can't be written", record.user)
        if self._app.eventlog is not None:
            data = {"action": notice.code, "username": record.user, "servername": record.server}
            self._app.eventlog.emit(schema_id=EVENT, data={**data, "minutes_left": minutes})
        if self.notify is not None:
            try:
                done = self.notify(record.user, notice)
                if inspect.isawaitable(done):
                    await done
            except Exception:
                # An operator's own code: whatever it raises, servers go on being metered.
                self.log.exception("LabMetering.notify failed")


def _now() -> datetime:
    return datetime.now(UTC)
