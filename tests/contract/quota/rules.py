"""Rules of the state machine in `machine.py`: what is done to wallets, organisations and the clock."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from swath_quota import services
from swath_quota.domain.grants import GrantCategory, GrantScope
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.limits import Limit, Window
from swath_quota.domain.members import MemberRole
from swath_quota.domain.prices import PriceLists, Prices
from swath_quota.domain.tiers import Terms, Tier, Tiers
from swath_quota.services import Desk
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import SwathError

model = sys.modules["swath_tests_model"]
SERVICE = Actor(name="quota", kind=ActorKind.SERVICE, scopes=frozenset(Scope))
BEGIN = datetime(2026, 1, 29, 22, tzinfo=UTC)
USERS, ORGANISATIONS = ["ada", "bea", "cy"], ["acme", "nox"]
ALGORITHMS = ["", "ada/ndvi", "ada/water", "bea/sar"]
SCOPES = [((), ()), (("run",), ()), (("lab", "dask"), ()), ((), ("ada/*",)), (("run",), ("ada/ndvi", "bea/sar"))]
WALLETS = [*USERS, *(f"organisation:{name}" for name in ORGANISATIONS)]
DAY = 24 * 3600
_LIMITS = (
    Limit(name="runs.concurrent", window=Window.CONTINUOUS, unit="run", hard=3),
    Limit(name="requests.month", window=Window.CALENDAR_MONTH, unit="request", hard=9),
    Limit(name="bytes.30d", window=Window.ROLLING, unit="byte", hard=9, seconds=30 * DAY),
    Limit(name="api.minute", window=Window.RATE, unit="request", hard=6, seconds=60),
)


def catalogue() -> tuple[Tiers, PriceLists]:
    """Tiers and prices with the figures of the model."""
    tiers = [
        Tier(
            name=name,
            title=name,
            description=name,
            terms=(Terms(effective_on=date(2023, 1, 1), monthly_allowance=allowance, limits=_LIMITS),),
        )
        for name, allowance in model.ALLOWANCES.items()
    ]
    lists = [
        Prices(
            effective_on=date.fromisoformat(day),
            per_cpu_hour=3600 * rate,
            per_gb_hour=0,
            per_batch_run=model.FEE,
            per_sync_call=0,
        )
        for day, rate in model.RATES.items()
    ]
    return Tiers(default="small", tiers=tuple(tiers)), PriceLists(lists=tuple(lists))


TIERS, PRICES = catalogue()


class Base(RuleBasedStateMachine):
    """The service beside the model. `stores` makes empty books, meters and limits for each example."""

    stores: Callable[[], Any]
    steps = 0
    outcomes: ClassVar[Counter[str]] = Counter()
    """How often each verb was answered how: shows that an example goes everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.model = model.Model()
        self.stack = ExitStack()
        books, more = self.stack.enter_context(type(self).stores())
        self.desk = Desk(books=books, tiers=TIERS, prices=PRICES, clock=lambda: self.now, **more)
        self.past: list[tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = []
        self.ended: dict[str, Any] = {}
        self.number = 0

    def teardown(self) -> None:
        self.stack.close()

    # ---- both do the same

    def both(self, real: Callable[..., Any], expected: Callable[..., Any], *, keep: bool = True, **given: Any) -> None:
        """Let the service and the model do one thing, and compare what they say of it."""
        if keep:
            self.past.append((real, expected, given))
        Base.steps += 1
        try:
            told = real(**given)
        except SwathError as error:
            told = ("error", error.code)
        due = expected(**given)
        verb = real.__qualname__.split(".")[1]
        Base.outcomes[f"{verb}: {told[0] if told[0] == 'ok' else told[1]}"] += 1
        assert told == due, (given, told, due)

    def fresh(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def some(self, names: Any, index: int) -> Any:
        names = list(names)
        return names[index % len(names)]

    # ---- time

    @rule(minutes=st.sampled_from([1, 7, 60]))
    def minutes_pass(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(days=st.sampled_from([1, 2, 29, 31, 75]))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule()
    def the_month_turns(self) -> None:
        self.now = model.first_of_next(self.now)

    # ---- wallets

    @rule(wallet=st.sampled_from(WALLETS))
    def look(self, wallet: str) -> None:
        def real(*, wallet: str) -> Any:
            found = services.wallet(SERVICE, self.desk, account=wallet)
            return "ok", found.balance, found.held, found.available

        self.both(real, lambda wallet: self.model.look(wallet, self.now), wallet=wallet)

    @rule(
        wallet=st.sampled_from(WALLETS),
        amount=st.integers(1, 900),
        category=st.sampled_from(model.ORDER),
        priority=st.sampled_from([5, 10, 20, 20, 20]),
        effective=st.sampled_from([None, None, -DAY, 3600, 40 * DAY]),
        expires=st.sampled_from([None, 60, 2 * DAY, 35 * DAY, 90 * DAY]),
        scope=st.sampled_from([SCOPES[0], *SCOPES]),
    )
    def grant(self, effective: int | None, expires: int | None, scope: Any, **given: Any) -> None:
        def after(seconds: int | None) -> datetime | None:
            return None if seconds is None else self.now + timedelta(seconds=seconds)

        def real(*, name: str, effective: Any, expires: Any, kinds: Any, algorithms: Any, **plain: Any) -> Any:
            found = services.grant(
                SERVICE,
                self.desk,
                grant_id=name,
                account=plain["wallet"],
                amount=plain["amount"],
                description="a gift",
                category=GrantCategory(plain["category"]),
                priority=plain["priority"],
                scope=GrantScope(kinds=tuple(map(PurposeKind, kinds)), algorithms=algorithms),
                effective_at=effective,
                expires_at=expires,
            )
            return "ok", found.remaining

        given |= {"effective": after(effective), "expires": after(expires), "kinds": scope[0], "algorithms": scope[1]}
        self.both(real, lambda **plain: self.model.grant(now=self.now, **plain), name=self.fresh("g"), **given)

    @rule(wallet=st.sampled_from(WALLETS), tier=st.sampled_from(["small", "large"]))
    def assign_tier(self, wallet: str, tier: str) -> None:
        def real(*, wallet: str, tier: str) -> Any:
            return "ok", services.assign_tier(SERVICE, self.desk, account=wallet, tier=tier).balance

        if wallet in USERS or wallet in self.model.wallets:
            self.both(
                real, lambda wallet, tier: self.model.assign_tier(wallet, tier, self.now), wallet=wallet, tier=tier
            )

    # ---- organisations

    @rule(name=st.sampled_from(ORGANISATIONS), tier=st.sampled_from(["small", "large"]))
    def open_organisation(self, name: str, tier: str) -> None:
        def real(*, name: str, tier: str) -> Any:
            services.open_organisation(SERVICE, self.desk, name=name, title=name, tier=tier)
            return ("ok",)

        def expected(*, name: str, tier: str) -> Any:
            self.model.wallets.setdefault(f"organisation:{name}", tier)
            self.model.touch(f"organisation:{name}", self.now)
            return ("ok",)

        self.both(real, expected, name=name, tier=tier)

    @rule(
        name=st.sampled_from(ORGANISATIONS),
        member=st.sampled_from(USERS),
        ceiling=st.sampled_from([None, 0, 100, 700, 2000]),
        role=st.sampled_from(["member", "owner"]),
    )
    def admit(self, **given: Any) -> None:
        def real(*, role: str, **plain: Any) -> Any:
            services.admit(SERVICE, self.desk, role=MemberRole(role), **plain)
            return ("ok",)

        def expected(*, name: str, member: str, ceiling: int | None, role: str) -> Any:
            if f"organisation:{name}" not in self.model.wallets:
                return "error", "no-such-wallet"
            box = self.model.members.setdefault((f"organisation:{name}", member), model.MemberBox(ceiling, role))
            box.ceiling, box.role, box.active = ceiling, role, True
            return ("ok",)

        self.both(real, expected, **given)

    @rule(name=st.sampled_from(ORGANISATIONS), member=st.sampled_from(USERS))
    def dismiss(self, name: str, member: str) -> None:
        def real(*, name: str, member: str) -> Any:
            services.dismiss(SERVICE, self.desk, name=name, member=member)
            return ("ok",)

        def expected(*, name: str, member: str) -> Any:
            if f"organisation:{name}" not in self.model.wallets:
                return "error", "no-such-wallet"
            box = self.model.members.get((f"organisation:{name}", member))
            if box is None:
                return "error", "no-such-member"
            box.active = box.default = False
            return ("ok",)

        self.both(real, expected, name=name, member=member)

    @rule(member=st.sampled_from(USERS), payer=st.sampled_from([*WALLETS, *WALLETS[3:]]))
    def choose_payer(self, member: str, payer: str) -> None:
        def real(*, member: str, payer: str) -> Any:
            actor = Actor(name=member, kind=ActorKind.USER, scopes=frozenset({Scope.EXECUTE}))
            services.choose_payer(actor, self.desk, payer=payer)
            return ("ok",)

        def expected(*, member: str, payer: str) -> Any:
            mine = {org: box for (org, who), box in self.model.members.items() if who == member}
            if payer != member and not (payer in mine and mine[payer].active):
                return "error", "not-a-member"
            for org, box in mine.items():
                box.default = org == payer
            return ("ok",)

        self.both(real, expected, member=member, payer=payer)
