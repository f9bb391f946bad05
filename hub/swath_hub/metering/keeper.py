"""The loop that keeps every metered server's hold ahead of it. On the hub's event loop; what blocks runs in threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from swath_service.errors import Unavailable

from swath_hub.metering.decisions import Warn
from swath_hub.metering.port import Standing
from swath_hub.metering.record import Phase, Record
from swath_hub.metering.teller import Beat, Refused, Teller
from swath_hub.metering.usage import Reserved

log = logging.getLogger(__name__)
T = TypeVar("T")
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A server as the hub knows it."""

    user: str
    server: str
    title: str
    reserved: Reserved
    handle: dict[str, str]
    pending: bool
    """It starts or stops just now."""

    @property
    def key(self) -> Key:
        return self.user, self.server


class Side(Protocol):
    """What the loop needs of the hub around it."""

    def servers(self) -> list[Known]:
        """Every server that the hub takes for alive."""
        ...

    async def warn(self, record: Record, warn: Warn) -> None:
        """Tell the user, by every way there is; never raises."""
        ...

    async def stop_gracefully(self, record: Record) -> None:
        """Interrupt kernels, let files be saved, stop the server, and keep the reason; idempotent."""
        ...


class Keeper:
    """Lab servers under meters, by user and name of the server."""

    def __init__(self, teller: Teller, side: Side, *, threads: Executor, heartbeat_seconds: float) -> None:
        self._teller, self._side, self._threads = teller, side, threads
        self._heartbeat_seconds = heartbeat_seconds
        self._live: dict[Key, Record] = {}
        self._ended: dict[str, Record] = {}
        self._locks: dict[Key, asyncio.Lock] = {}
        self._stopping: dict[Key, asyncio.Task[None]] = {}
        self._strangers: set[str] = set()
        self._loop: asyncio.Task[None] | None = None
        self._loaded = False
        self._settling = asyncio.Lock()

    # ---- a server's life, told by its spawner

    async def standing(self, user: str) -> Standing:
        """The user's limits.

        Raises
        ------
        Unavailable
        """
        return await self._in_thread(self._teller.standing, user)

    def reserved(self, user: str, *, but: str) -> list[Reserved]:
        """What the user's servers have, except the one called `but`."""
        return [one.reserved for one in self._live.values() if one.user == user and one.server != but]

    async def admit(self, user: str, server: str, *, title: str, reserved: Reserved, unpaid: bool) -> Record | Refused:
        """Hold the first hour of a server that is about to start.

        Parameters
        ----------
        unpaid
            Whether it may start while the quota service is silent; it is then held for as soon as it answers.

        Raises
        ------
        Unavailable
        """
        await self.begin()
        record = Record(id=secrets.token_hex(12), user=user, server=server, title=title, reserved=reserved)
        async with self._lock(record.key):
            # A server of the last run of the hub whose end nobody has noticed yet.
            await self._close(record.key)
            try:
                answer = await self._in_thread(self._teller.admit, record)
            except Unavailable:
                # Whether a hold was placed is not known: settling gives it back.
                if not unpaid:
                    self._ended[record.id] = await self._in_thread(self._fail, record)
                    raise
                log.warning("The quota service does not answer; %s's server starts unpaid, as is allowed", user)
                answer = await self._in_thread(self._teller.keep, replace(record, holds=1, unanswered=True))
            if isinstance(answer, Record):
                self._live[record.key] = answer
            return answer

    async def handle(self, key: Key, handle: dict[str, str]) -> None:
        """How its gauge finds the server; told before it is started, so that no crash leaves it unpaid or unfound."""
        async with self._lock(key):
            if (record := self._live.get(key)) is not None:
                self._live[key] = await self._in_thread(self._teller.keep, replace(record, handle=handle))

    async def ended(self, key: Key, *, failed: bool) -> None:
        """The server is gone; it is settled in the background, as soon as the quota service answers.

        Parameters
        ----------
        failed
            It never came up for its user: the platform's fault.
        """
        async with self._lock(key):
            await self._close(key, failed=failed)
        self._soon(self.settle())

    # ---- the loop

    async def begin(self) -> None:
        """Take up what the last run of the hub left, and go on for good. Idempotent."""
        if self._loaded:
            return
        self._loaded = True
        for record in await self._in_thread(self._teller.load):
            if record.phase is Phase.ENDED:
                self._ended[record.id] = record
            elif record.key in self._live:
                # Its user has started anew, while an older one was never closed.
                self._ended[record.id] = await self._in_thread(self._teller.close, record)
            else:
                self._live[record.key] = record
        self._loop = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Stop looking; what is not settled is taken up by the next run."""
        tasks = [task for task in (self._loop, *self._stopping.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                # The loop outlives whatever one look comes upon.
                log.exception("Looking at the metered servers failed")
            await asyncio.sleep(self._heartbeat_seconds)

    async def tick(self) -> None:
        """Look at every server once, report what they used, settle what has ended."""
        known = {one.key: one for one in self._side.servers()}
        for one in known.values():
            if one.key not in self._live and not one.pending:
                await self._adopt(one)
        looks = [self._look(key, known.get(key)) for key in list(self._live)]
        beaten = [record for record in await asyncio.gather(*looks) if record is not None]
        if beaten:
            await self._in_thread(self._teller.report, beaten)
        await self.settle()

    async def _adopt(self, one: Known) -> None:
        """Meter a server that was started without: before it was metered at all, or by a hub that lost its records."""
        record = Record(
            id=secrets.token_hex(12),
            user=one.user,
            server=one.server,
            title=one.title,
            reserved=one.reserved,
            handle=one.handle,
            phase=Phase.RUNNING,
        )
        async with self._lock(one.key):
            reading = await self._in_thread(self._teller.read, record)
            self._live[one.key] = await self._in_thread(self._teller.keep, replace(record, usage=reading.usage))

    async def _look(self, key: Key, known: Known | None) -> Record | None:
        """One beat of one server; its record when there is something to report."""
        async with self._lock(key):
            record = self._live.get(key)
            if record is None or (known is not None and known.pending):
                return None
            if known is None:
                await self._unknown(record)
                return None
            self._strangers.discard(record.id)
            if record.phase is Phase.STARTING:
                record = await self._in_thread(self._teller.keep, replace(record, phase=Phase.RUNNING))
            beat = await self._in_thread(self._teller.beat, record)
            self._live[key] = beat.record
        await self._act(beat)
        return beat.record

    async def _unknown(self, record: Record) -> None:
        """The hub knows no such server: settle one that is gone; end one that a crash left without an owner."""
        reading = await self._in_thread(self._teller.read, record)
        if reading.alive and record.id not in self._strangers:
            # Seen once only: the hub may be about to find it.
            self._strangers.add(record.id)
            return
        if reading.alive:
            log.warning("A server of %s runs that the hub does not know; it is ended", record.user)
            if not await self._in_thread(self._teller.end_orphan, record):
                return
        self._strangers.discard(record.id)
        await self._close(record.key, failed=record.phase is Phase.STARTING)

    async def _act(self, beat: Beat) -> None:
        for warn in beat.warnings:
            await self._side.warn(beat.record, warn)
        key = beat.record.key
        if beat.stop and key not in self._stopping:
            task = asyncio.create_task(self._side.stop_gracefully(beat.record))
            self._stopping[key] = task
            task.add_done_callback(lambda done: self._stopped(key, done))

    def _stopped(self, key: Key, done: asyncio.Task[None]) -> None:
        self._stopping.pop(key, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("The server of %s could not be stopped gracefully; tried again", key[0], exc_info=error)

    async def _close(self, key: Key, *, failed: bool = False) -> None:
        """From live to ended; the caller holds the lock."""
        record = self._live.get(key)
        if record is not None:
            closed = await self._in_thread(lambda: self._teller.close(record, platforms_fault=failed))
            self._ended[closed.id] = closed
            del self._live[key]

    async def settle(self) -> None:
        """Try once for each that has ended."""
        async with self._settling:
            for record in list(self._ended.values()):
                if await self._in_thread(self._teller.settle, record):
                    self._ended.pop(record.id, None)

    def _fail(self, record: Record) -> Record:
        return self._teller.close(replace(record, holds=1, unanswered=True), platforms_fault=True)

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _soon(self, work: Awaitable[None]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await work

        self._last = asyncio.create_task(quietly())

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
