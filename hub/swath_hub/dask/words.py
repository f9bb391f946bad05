"""What users are told: which limit, what is in use and where, and what would help.

One line each: they travel as reasons of HTTP.

Every refusal begins with its code and the limit in brackets, for programs: ``quota-exceeded (dask.cores): …``.
"""

from __future__ import annotations

from datetime import datetime

from swath_quota.client import Refusal

from swath_hub.dask.shares import Growth, LimitName, Shortfall, Start

_UNITS = {LimitName.CLUSTERS: "clusters", LimitName.CORES: "cores", LimitName.MEMORY_MB: "MB of memory"}
_MOST_NAMED = 6


def refused_start(short: Shortfall) -> str:
    """A cluster that may not start."""
    if short.limit is LimitName.CLUSTERS:
        what = f"you have {short.used} Dask cluster{'s' * (short.used != 1)}, as many as one may have"
        return f"{_head(short)}{what} ({_where(short)}); {_mend(short)}"
    needs = f"a cluster with one worker needs {_amount(short.limit, short.asked)}"
    return f"{_head(short)}{needs}; {_in_use(short)}; {_mend(short)}"


def reduced_start(short: Shortfall, start: Start) -> str:
    """A cluster that starts smaller than asked."""
    size = f"{_amount(LimitName.CORES, start.worker.cores)} and {_amount(LimitName.MEMORY_MB, start.worker.memory_mb)}"
    return (
        f"beyond your soft limit ({short.limit}: {short.ceiling}) this cluster starts with workers of {size} and gets"
        f" one; {_in_use(short)}; {_mend(short)}"
    )


def reduced_growth(growth: Growth, *, have: int, asked: int) -> str:
    """Fewer workers than asked.

    Parameters
    ----------
    have
        Workers of the cluster before the request.
    asked
        Workers that it asked for, in all.
    """
    short = growth.shortfall
    assert short is not None
    got = f"{have + growth.workers} of {asked} workers"
    if short.limit is LimitName.CREDITS:
        return (
            f"{_head(short)}you get {got}: {credits_text(short.used)} credits are left for this cluster;"
            " scale down, close other clusters or stop runs, or ask an operator for credits"
        )
    return f"{_head(short)}you get {got}: {_in_use(short)}; {_mend(short)}"


def refused_hold(refusal: Refusal) -> str:
    """A cluster that the wallet does not pay for."""
    limit = getattr(refusal, "limit_name", "") or LimitName.CREDITS
    mend = getattr(refusal, "mend", "") or "close other clusters or stop runs, or ask an operator for credits"
    when = f"; it fits on {_day(refusal.retry_at)}" if refusal.retry_at else ""
    return _line(f"{refusal.code} ({limit}): a cluster's first hour is set aside: {refusal.message}{when}; {mend}")


def silent() -> str:
    """Nobody to ask."""
    return "quota-unreachable: the quota service does not answer, so no cluster is started now; try again in a minute"


def silent_growth() -> str:
    """Nobody to ask for more."""
    return "quota-unreachable: the quota service does not answer, so no more workers start now; those that run go on"


def credits_low(minutes: int, grace_seconds: float) -> str:
    """Soon over."""
    left = "less than two minutes" if minutes < 2 else f"about {minutes} minutes"
    return (
        f"your credits last {left} more for this Dask cluster; then its workers are stopped, and"
        f" {grace_seconds:.0f} s later it is closed. Save what you need, scale down, or ask an operator for credits"
    )


def credits_back() -> str:
    """Paid for again."""
    return "your credits pay for this Dask cluster again; scale it as you need"


def starved(grace_seconds: float) -> str:
    """Scaled to zero."""
    return (
        "credits-exhausted (credits): your credits are used up, so the workers of this Dask cluster are stopped;"
        f" in {grace_seconds:.0f} s it is closed unless there are new credits"
    )


def closed() -> str:
    """Closed for want of credits."""
    return "credits-exhausted (credits): this Dask cluster was closed because your credits are used up"


def credits_text(millicredits: int) -> str:
    """Credits for people."""
    return f"{max(0, millicredits) / 1000:,.3f}".rstrip("0").rstrip(".")


def _head(short: Shortfall) -> str:
    code = "credits-exhausted" if short.limit is LimitName.CREDITS else "quota-exceeded"
    return f"{code} ({short.limit}): "


def _in_use(short: Shortfall) -> str:
    return f"you use {short.used} of {_amount(short.limit, short.ceiling)} over your clusters ({_where(short)})"


def _where(short: Shortfall) -> str:
    if not short.clusters:
        return "none"
    told = [f"{one.name[:8]}: {_share(short.limit, one.reserved)}" for one in short.clusters[:_MOST_NAMED]]
    more = len(short.clusters) - _MOST_NAMED
    return ", ".join([*told, *([f"{more} more"] if more > 0 else [])])


def _share(limit: LimitName, size: object) -> str:
    cores, memory = getattr(size, "cores", 0), getattr(size, "memory_mb", 0)
    return f"{memory} MB" if limit is LimitName.MEMORY_MB else f"{cores} core{'s' * (cores != 1)}"


def _amount(limit: LimitName, amount: int) -> str:
    return f"{amount} {_UNITS[limit]}" if amount != 1 else f"1 {_UNITS[limit].removesuffix('s')}"


def _mend(short: Shortfall) -> str:
    if short.limit is LimitName.CLUSTERS:
        return "close one (`dask_gateway.Gateway()` lists and stops them), or ask an operator for a higher limit"
    return "close or scale down a cluster, ask for smaller workers, or ask an operator for a higher limit"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> str:
    return " ".join(text.split())
