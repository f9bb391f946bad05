"""``python -m swath_quota.refusals``: what every limit of every tier says at its end.

Nothing in the table is written by hand: for each limit a caller uses it up to its end over the service's own HTTP face,
with books and limits in memory, and then asks for one more. The row is the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.rate_policies import Policies
from swath_service.rates import RateWindows, install_rates

from swath_quota import services
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client.rates import RATES, policies_of
from swath_quota.domain.limits import CREDITS, LimitState, Standing, Window, quantity
from swath_quota.domain.tiers import Tiers
from swath_quota.services.desk import Desk, utc_now
from swath_quota.store.memory import MemoryBooks

_SERVICE = Actor(name="service", kind=ActorKind.SERVICE, scopes=frozenset(Scope))
_CALLER = Actor(name="caller", scopes=frozenset({Scope.READ}))
_PREFIX = "/services/quota/"
#: A rate that is counted at the door drains while it is filled: so often it is filled again.
_FILLS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one limit of one tier answers."""

    tier: str
    limit: str
    window: str
    hard: int | None
    soft: int | None
    unit: str
    seconds: int | None
    at_hard: int | None
    """Status of the request that fills it; ``None`` where nothing fills it."""
    status: int
    """Status of one more."""
    code: str
    message: str
    next_at: str | None
    retry_after_seconds: int | None
    mend: str


class _Tokens:
    async def actor_for(self, token: str) -> Actor | None:
        return {"service": _SERVICE, "caller": _CALLER}.get(token)


class _Bench:
    """A service in memory, with its door counted as every door is, and somebody in a tier who calls it."""

    def __init__(self, tiers: Tiers, *, tier: str, clock: Callable[[], datetime]) -> None:
        # Born into the tier: who is put into another keeps what the first gave him this month.
        own = replace(tiers, default=tier)
        self.desk = Desk(books=MemoryBooks(), tiers=own, prices=load_prices(), clock=clock)
        self.windows = RateWindows()
        app = make_app(desk=self.desk, identity=_Tokens(), prefix=_PREFIX)
        install_rates(app, policies=self._policies, prefix=_PREFIX, windows=self.windows)
        self._transport = httpx.ASGITransport(app=app)

    def standing(self) -> Standing:
        return services.standing(_SERVICE, self.desk, account=_CALLER.name)

    async def _policies(self, _: Actor) -> Policies:
        return policies_of(self.standing())

    async def ask(self, method: str, path: str, *, token: str, body: dict[str, Any] | None = None) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=f"http://swath{_PREFIX}") as client:
            return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

    async def take(self, limit: str, *, amount: int, take_id: str) -> httpx.Response:
        body = {"take_id": take_id, "account": _CALLER.name, "limit": limit, "amount": amount}
        return await self.ask("POST", "limits/takes", token="service", body=body)  # noqa: S106 - as below

    async def hold(self, *, amount: int, hold_id: str) -> httpx.Response:
        purpose = {"kind": "run", "reference": hold_id}
        body: dict[str, Any] = {"hold_id": hold_id, "account": _CALLER.name, "amount": amount, "purpose": purpose}
        body["expires_in_seconds"] = 3600
        return await self.ask("POST", "holds", token="service", body=body)  # noqa: S106 - as below

    async def call(self) -> httpx.Response:
        """A call like anybody's at the service's door."""
        return await self.ask("GET", "limits", token="caller")  # noqa: S106 - a name, in memory alone

    async def call_too_often(self) -> httpx.Response:
        """A call by somebody who has used up his rate. It drains by real time, so it is filled until it refuses."""
        policy = policies_of(self.standing())["api"]
        await self.windows.hit(f"user:{_CALLER.name}", policy, cost=policy.capacity - 1)
        for _ in range(_FILLS):
            while (await self.windows.hit(f"user:{_CALLER.name}", policy)).allowed:
                pass
            answer = await self.call()
            if answer.status_code == 429:
                return answer
        raise RuntimeError("a rate drains quicker than it can be filled")


async def _answers(bench: _Bench, state: LimitState) -> tuple[httpx.Response | None, httpx.Response]:
    """What the request that fills the limit is answered, and what one more is."""
    if state.name == CREDITS:
        assert state.hard is not None
        return await bench.hold(amount=state.hard, hold_id="all"), await bench.hold(amount=1, hold_id="more")
    if state.name == RATES["api"] and state.hard is not None:
        return await bench.call(), await bench.call_too_often()
    most = state.hard if state.hard is None or state.burst is None else state.burst
    fill = state.soft if most is None else most
    first = await bench.take(state.name, amount=fill, take_id="all") if fill else None
    return first, await bench.take(state.name, amount=1, take_id="more")


async def _row(tiers: Tiers, *, tier: str, limit: str, clock: Callable[[], datetime]) -> Row:
    bench = _Bench(tiers, tier=tier, clock=clock)
    state = bench.standing().limit(limit)
    assert state is not None
    first, more = await _answers(bench, state)
    told = more.json()
    code, message, mend = told.get("code", ""), told.get("detail", ""), told.get("mend", "")
    if more.is_success:
        after = bench.standing()
        code = "degraded" if after.degraded else "unrestricted"
        message = "; ".join(after.degraded) or "nothing is refused"
        mend = "wait until enough of it is older" if after.degraded else ""
    retry = more.headers.get("retry-after")
    return Row(
        tier=tier,
        limit=limit,
        window=state.window,
        hard=state.hard,
        soft=state.soft,
        unit=state.unit,
        seconds=state.seconds,
        at_hard=first.status_code if first is not None else None,
        status=more.status_code,
        code=code,
        message=message,
        next_at=told.get("retry_at"),
        retry_after_seconds=int(retry) if retry else None,
        mend=mend,
    )


def refusals(tiers: Tiers | None = None, *, clock: Callable[[], datetime] = utc_now) -> list[Row]:
    """A row for each limit of each tier that users are in, with the terms of now."""
    tiers = tiers or load_tiers()
    now = clock()

    async def every() -> list[Row]:
        return [
            await _row(tiers, tier=tier.name, limit=name, clock=lambda: now)
            for tier in tiers.tiers
            if not tier.wallets
            for name in sorted(tier.terms_on(now.date()).by_name())
        ]

    return asyncio.run(every())


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or with ``--json`` its rows."""
    parser = argparse.ArgumentParser(prog="python -m swath_quota.refusals", description=__doc__)
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--tier", help="this tier alone")
    asked = parser.parse_args(arguments)
    found = [row for row in refusals() if asked.tier in (None, row.tier)]
    if asked.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return 0
    print(f"At {datetime.now(UTC).isoformat(timespec='seconds')}; one more than the hard limit is asked for.\n")
    widths = (20, 26, 32, 8, 18, 27)
    _line(("tier", "limit", "hard", "status", "code", "next"), widths, last="message")
    for row in found:
        hard = "unrestricted" if row.hard is None else quantity(row.hard, row.unit) + _per(row)
        when = (row.next_at or "-").replace("+00:00", "Z")[:26]
        _line((row.tier, row.limit, hard, str(row.status), row.code, when), widths, last=row.message)
    return 0


def _per(row: Row) -> str:
    texts = {Window.CALENDAR_MONTH: "/month", Window.CONTINUOUS: " at once", Window.RATE: f"/{row.seconds} s"}
    return texts.get(Window(row.window), "")


def _line(cells: tuple[str, ...], widths: tuple[int, ...], *, last: str) -> None:
    print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]).rstrip())


if __name__ == "__main__":
    sys.exit(main())
