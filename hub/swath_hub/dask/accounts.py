"""The account of one cluster: its hold, what it has used by now, and how it stands with its owner's credits.

Pure: every function returns a new account. Time is the machine's own since it booted (``CLOCK_BOOTTIME``), which runs
on while the gateway is down and which nobody sets; after a reboot no cluster lives, so no span reaches over one.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from swath_hub.dask.shares import ClusterLoad
from swath_hub.dask.tariff import Tariff


class Phase(StrEnum):
    """Where an account stands."""

    OPENING = "opening"
    """Written down; whether its hold was placed is not known yet."""
    LIVE = "live"
    STARVED = "starved"
    """The owner's credits are used up: no workers, and after a grace the cluster is closed."""
    ENDED = "ended"
    """The cluster is gone; not settled yet."""
    SETTLED = "settled"


class Ending(StrEnum):
    """Whose fault the end was, in the quota service's words."""

    NONE = "none"
    USER = "user"
    PLATFORM = "platform"


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is reserved at a moment."""

    cores: int = 0
    memory_mb: int = 0
    workers: int = 0

    @classmethod
    def of(cls, cluster: ClusterLoad) -> Load:
        """What `cluster` reserves, its scheduler too."""
        return cls(cores=cluster.reserved.cores, memory_mb=cluster.reserved.memory_mb, workers=cluster.workers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What was used since the hold was placed. Cores are reserved: a second of one counts whether it worked or not."""

    cpu_seconds: float = 0.0
    memory_mb_seconds: float = 0.0
    worker_seconds: float = 0.0
    wall_seconds: float = 0.0

    def after(self, load: Load, seconds: float) -> Usage:
        """With `load` for so long on top."""
        return Usage(
            cpu_seconds=self.cpu_seconds + load.cores * seconds,
            memory_mb_seconds=self.memory_mb_seconds + load.memory_mb * seconds,
            worker_seconds=self.worker_seconds + load.workers * seconds,
            wall_seconds=self.wall_seconds + (seconds if load.cores else 0.0),
        )

    def cost(self, tariff: Tariff) -> int:
        """Its price in millicredits."""
        return tariff.cost(cpu_seconds=self.cpu_seconds, memory_mb_seconds=self.memory_mb_seconds)

    def as_mapping(self) -> dict[str, float]:
        """By the names of the usage stream."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A reading of the machine's own clock."""

    boot_id: str
    seconds: float

    def since(self, earlier: Moment) -> float:
        """Seconds from `earlier`; none over a reboot."""
        return max(0.0, self.seconds - earlier.seconds) if self.boot_id == earlier.boot_id else 0.0


def now() -> Moment:
    """The machine's own clock."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return Moment(boot_id=stream.read().strip(), seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that the cluster's owner is told."""

    key: str
    """What it is about; the same is not told twice in a row."""
    text: str
    at: str
    """The wall clock, for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What is persisted about one cluster."""

    cluster: str
    user: str
    tariff: Tariff
    chapter: int = 1
    """A hold that ended under a living cluster (it was voided while the gateway was down) is followed by another."""
    asked: int = 0
    """Millicredits of a hold that was asked for and not answered yet: it is asked again just so, or settled."""
    amount: int = 0
    """Millicredits held; 0 while no hold stands."""
    phase: Phase = Phase.OPENING
    came_up: bool = False
    """Its scheduler ran."""
    usage: Usage = Usage()
    """Up to `at`; in this chapter."""
    load: Load = Load()
    """Reserved since `at`."""
    at: Moment
    sequence: int = 0
    """Of the latest report of this chapter."""
    starved_at: Moment | None = None
    ending: Ending = Ending.NONE
    notices: tuple[Notice, ...] = field(default=())

    @property
    def hold_id(self) -> str:
        return f"dask-{self.cluster}" + (f".{self.chapter}" if self.chapter > 1 else "")

    @property
    def meter(self) -> str:
        """The usage stream's name of it."""
        return self.hold_id

    @property
    def is_open(self) -> bool:
        """Whether its cluster is there, and metered."""
        return self.phase not in (Phase.ENDED, Phase.SETTLED)

    def left(self) -> int:
        """Millicredits of the hold that are not used yet."""
        return self.amount - self.usage.cost(self.tariff)

    def needs(self, load: Load, seconds: float) -> int:
        """How much must be held so that `load` can go on for so long."""
        return self.usage.after(load, seconds).cost(self.tariff)

    def lasts_seconds(self, load: Load) -> float:
        """How long what is held lasts for `load`."""
        an_hour = self.needs(load, 3600) - self.usage.cost(self.tariff)
        return float("inf") if an_hour <= 0 else max(0, self.left()) * 3600 / an_hour


def advance(account: Account, *, to: Moment, load: Load | None = None) -> Account:
    """`account` with what was reserved until `to` used, and `load` reserved from then on."""
    if not account.is_open:
        return account
    used = account.usage.after(account.load, to.since(account.at))
    return replace(account, usage=used, at=to, load=account.load if load is None else load)


def tell(account: Account, *, key: str, text: str, at: str) -> Account:
    """`account` with a notice, unless the last one about the same said the same."""
    about = [notice for notice in account.notices if notice.key == key]
    if about and about[-1].text == text:
        return account
    return replace(account, notices=(*account.notices, Notice(key=key, text=text, at=at))[-_NOTICES:])


def next_chapter(account: Account) -> Account:
    """`account` under a hold yet to be placed, counting from nothing; what the last one paid for is paid."""
    return replace(account, chapter=account.chapter + 1, asked=0, amount=0, usage=Usage(), sequence=0)


def end(account: Account, *, to: Moment, stopped: bool) -> Account:
    """`account` of a cluster that is gone: used up to `to`, its fault known. A no-op on one that ended before.

    Parameters
    ----------
    stopped
        Somebody stopped it, as opposed to it having failed. A scheduler that never came up is the platform's fault;
        whatever failed afterwards ran the user's work.
    """
    if not account.is_open:
        return account
    failed = Ending.USER if account.came_up else Ending.PLATFORM
    done = advance(account, to=to, load=Load())
    return replace(done, phase=Phase.ENDED, ending=Ending.NONE if stopped else failed)


_NOTICES = 50


def to_json(account: Account) -> dict[str, Any]:
    """JSON values of it."""
    return asdict(account)


def from_json(record: dict[str, Any]) -> Account:
    """The account that `to_json` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is none.
    """
    starved = record["starved_at"]
    return Account(
        **{
            **record,
            "tariff": Tariff(**record["tariff"]),
            "phase": Phase(record["phase"]),
            "ending": Ending(record["ending"]),
            "usage": Usage(**record["usage"]),
            "load": Load(**record["load"]),
            "at": Moment(**record["at"]),
            "starved_at": Moment(**starved) if starved else None,
            "notices": tuple(Notice(**notice) for notice in record["notices"]),
        }
    )
