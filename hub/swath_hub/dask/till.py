"""Money of clusters: a hold at the start, extended while they live, metered, settled exactly once at the end.

Every step is written to disk before it is asked for, and every call to the quota service is idempotent by the ids that
stand there. So a gateway that dies anywhere goes on where it was: nothing is held or charged twice. While the quota
service is silent, clusters that run go on; what they use is reported, and settled, when it answers again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from swath_quota.client import (
    Fault,
    Hold,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    NoSuchHold,
    Prices,
    Purpose,
    PurposeKind,
    Refusal,
    UsageEvent,
)
from swath_service.errors import Conflict, Invalid, NotFound, SwathError, Unavailable

from swath_hub.dask import accounts, words
from swath_hub.dask.accounts import Account, Load, Moment, Phase
from swath_hub.dask.credit import Terms
from swath_hub.dask.quota import DaskQuota
from swath_hub.dask.records import Records
from swath_hub.dask.shares import ClusterLoad, Purse
from swath_hub.dask.tariff import Tariff

log = logging.getLogger(__name__)

_CLOSED = (NoSuchHold, HoldCaptured, HoldExpired, HoldReleased)
#: Most events of one report.
_BATCH = 500


class NotGranted(Exception):
    """A cluster gets no hold; the text is for its owner."""


class Till:
    """The accounts of every cluster, and the quota service behind them."""

    def __init__(
        self, *, quota: DaskQuota, records: Records, terms: Terms, clock: Callable[[], Moment] = accounts.now
    ) -> None:
        self._quota, self.records, self.terms, self.clock = quota, records, terms, clock
        self._renewed: dict[str, Moment] = {}
        self._silent: set[str] = set()
        # One talk with the quota service at a time about one cluster: a hold is not settled while it is placed.
        self._talks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # ---- the hold

    async def open(self, cluster: ClusterLoad, *, user: str) -> Account:
        """Place the hold of a new cluster: its first hour, with one worker.

        Raises
        ------
        NotGranted
            The wallet says no, or nobody answers.
        """
        try:
            async with self._talks[cluster.name]:
                account = await self.adopt(cluster, user=user)
                answer = await self._place(account, Load.of(replace(cluster, workers=1)))
        except SwathError as error:
            if self.records.get(cluster.name) is not None:
                # The hold may stand: it is settled, with nothing used, when the service answers.
                self.end(cluster.name, stopped=False)
            log.warning("no hold for cluster %s: %s", cluster.name, error)
            said = words.silent() if isinstance(error, Unavailable) else f"{error.code}: {error.message}"
            raise NotGranted(said) from error
        if isinstance(answer, Refusal):
            self.records.forget(cluster.name)
            raise NotGranted(words.refused_hold(answer))
        return self._account(cluster.name)

    async def adopt(self, cluster: ClusterLoad, *, user: str) -> Account:
        """An account for a cluster that has none, at today's prices; `fund` places its hold.

        Raises
        ------
        SwathError
            Nobody tells the prices.
        """
        prices: Prices = await asyncio.to_thread(self._quota.prices)
        return self._write(Account(cluster=cluster.name, user=user, tariff=Tariff.of(prices), at=self.clock()))

    async def _place(self, account: Account, load: Load) -> Hold | Refusal:
        amount = account.asked or account.needs(load, self.terms.ahead_seconds)
        # Written first: a hold whose answer was lost is repeated only as it was.
        self._write(replace(account, asked=amount))
        answer = await asyncio.to_thread(
            self._quota.hold,
            hold_id=account.hold_id,
            account=account.user,
            amount=amount,
            purpose=Purpose(
                kind=PurposeKind.DASK, reference=account.cluster, description=f"Dask cluster {account.cluster[:8]}"
            ),
            expires_in_seconds=self.terms.hold_seconds,
            price_version=account.tariff.version,
        )
        account = replace(self._account(account.cluster), asked=0)
        if isinstance(answer, Hold):
            self._renewed[account.cluster] = self.clock()
            account = replace(account, amount=answer.amount)
        if account.phase is Phase.OPENING:
            account = replace(account, phase=Phase.LIVE)
        self._write(account)
        return answer

    async def fund(self, name: str, load: Load) -> Account:
        """Have `load` paid ahead as far as the wallet goes, and the hold renewed.

        Never raises: at worst nothing changes, and `Account.left` tells how far what is held goes.
        """
        try:
            async with self._talks[name]:
                account = self.advance(name)
                if account.is_open and self._due(account, load):
                    await (self._extend if account.amount else self._place)(account, load)
            self._silent.discard(name)
        except _CLOSED as error:
            log.warning("the hold of living cluster %s has ended (%s); another is placed", name, error)
            self._write(accounts.next_chapter(self._account(name)))
        except SwathError as error:
            self._silent.add(name)
            log.warning("the hold of cluster %s is not extended: %s", name, error)
        return self._account(name)

    def is_silent(self, name: str) -> bool:
        """Whether the last question about a cluster's credits had no answer: its hold's end means nothing then."""
        return name in self._silent

    async def _extend(self, account: Account, load: Load) -> Hold | Refusal:
        target = max(account.amount, account.needs(load, self.terms.ahead_seconds))
        answer = await self._ask(account, target)
        if isinstance(answer, Refusal) and answer.left > 0:
            # All that is left, rather than nothing: it is the user's to spend.
            answer = await self._ask(account, min(target, account.amount + answer.left))
        if isinstance(answer, Hold):
            self._renewed[account.cluster] = self.clock()
            now = self._account(account.cluster)
            if answer.amount > now.amount:
                self._write(replace(now, amount=answer.amount))
        return answer

    async def _ask(self, account: Account, amount: int) -> Hold | Refusal:
        return await asyncio.to_thread(
            self._quota.extend, account.hold_id, expires_in_seconds=self.terms.hold_seconds, amount=amount
        )

    def _due(self, account: Account, load: Load) -> bool:
        if account.lasts_seconds(load) < self.terms.ahead_seconds / 2:
            return True
        renewed = self._renewed.get(account.cluster)
        return renewed is None or self.clock().since(renewed) > self.terms.hold_seconds / 8

    def purse(self, name: str) -> Purse:
        """What may be spent on a cluster from now on, for `shares.judge_growth`."""
        account = self._account(name)
        spendable = account.left() if account.phase is Phase.LIVE else 0
        return Purse(millicredits=max(0, spendable), seconds=self.terms.least_seconds, tariff=account.tariff)

    # ---- the meter

    def advance(self, name: str, *, load: Load | None = None, came_up: bool = False) -> Account:
        """Count what was reserved until now; `load` is reserved from now on. Written when it changes."""
        account = self._account(name)
        after = accounts.advance(account, to=self.clock(), load=load)
        if came_up and not after.came_up:
            after = replace(after, came_up=True)
        changed = after.load != account.load or after.came_up != account.came_up
        return self._write(after) if changed else self.records.keep(after)

    def resume(self, name: str, *, load: Load) -> Account:
        """Go on after a restart: what survived it, `load`, was reserved all the while."""
        self.records.keep(replace(self._account(name), load=load))
        return self._write(self.advance(name))

    def mark(self, name: str, phase: Phase) -> Account:
        """Put an open account into another phase; the time of a want of credits is noted."""
        account = self.advance(name)
        starved_at = self.clock() if phase is Phase.STARVED else None
        return self._write(replace(account, phase=phase, starved_at=starved_at)) if account.is_open else account

    def end(self, name: str, *, stopped: bool, at: Moment | None = None) -> Account:
        """The cluster is gone, since `at` or now; a no-op on one that ended before."""
        return self._write(accounts.end(self._account(name), to=at or self.clock(), stopped=stopped))

    def tell(self, name: str, *, key: str, text: str) -> bool:
        """Note something for the owner; whether it is news."""
        before = self._account(name)
        after = accounts.tell(before, key=key, text=text, at=datetime.now(UTC).isoformat(timespec="seconds"))
        if after is before:
            return False
        log.info("cluster %s of %s is told: %s", name, after.user, text)
        self._write(after)
        return True

    async def report(self) -> None:
        """Send what every open account has used by now.

        Raises
        ------
        SwathError
            Nothing is lost: the next report says it all again.
        """
        held = [account.cluster for account in self.records.all() if account.is_open and account.amount]
        for at in range(0, len(held), _BATCH):
            await self._send([self._event(name) for name in held[at : at + _BATCH]])

    async def settle(self, name: str) -> Account:
        """Report the last of an ended account and settle its hold; repeated after a crash it changes nothing.

        Raises
        ------
        SwathError
            Nobody answers: try again later.
        """
        try:
            async with self._talks[name]:
                await self._settle(name)
        except _CLOSED as error:
            # Its hold was never placed, or was voided while the gateway was down longer than it stood.
            log.warning("the hold of cluster %s ended before it was settled: %s", name, error)
        self._renewed.pop(name, None)
        self._talks.pop(name, None)
        self._silent.discard(name)
        return self._write(replace(self._account(name), phase=Phase.SETTLED))

    async def _settle(self, name: str) -> None:
        account = self._account(name)
        if account.amount:
            await self._send([self._event(name)])
        if account.amount or account.asked:
            settled = await asyncio.to_thread(
                self._quota.settle,
                account.hold_id,
                usage=account.usage.as_mapping(),
                fault=Fault(account.ending.value),
            )
            log.info("cluster %s of %s is settled: %d millicredits", name, account.user, settled.captured)

    async def _send(self, events: list[UsageEvent]) -> None:
        """Send `events`; one that is not taken does not keep back the others.

        Raises
        ------
        Unavailable
        """
        try:
            await asyncio.to_thread(self._quota.report_usage, events)
        except (Conflict, Invalid, NotFound) as error:
            log.warning("a report of usage is not taken: %s", error)
            if len(events) > 1:
                for event in events:
                    await self._send([event])

    def _event(self, name: str) -> UsageEvent:
        account = self.advance(name)
        # An event that was sent is never sent with other content: its number is on disk first.
        account = self._write(replace(account, sequence=account.sequence + 1))
        return UsageEvent(
            id=f"{account.meter}-{account.sequence}",
            meter=account.meter,
            hold_id=account.hold_id,
            account=account.user,
            kind=PurposeKind.DASK,
            sequence=account.sequence,
            usage=account.usage.as_mapping(),
            final=account.phase is Phase.ENDED,
            fault=Fault(account.ending.value),
            at=datetime.now(UTC),
        )

    # ---- records

    def _account(self, name: str) -> Account:
        found = self.records.get(name)
        if found is None:
            raise KeyError(f"no account of cluster {name}")
        return found

    def _write(self, account: Account) -> Account:
        self.records.keep(account)
        self.records.write(account.cluster)
        return account

    def write_all(self, names: Iterable[str]) -> None:
        """Count until now and put it on disk, before the gateway ends."""
        for name in names:
            self._write(self.advance(name))
