"""What the quota must do, said a second time: plain dictionaries and loops, sharing no rule with `swath_quota`.

Money in millicredits, times aware. Each verb answers ``("ok", …)``, ``("refused", code)`` or ``("error", code)`` and
changes the model accordingly; the state machine beside this file compares both with what the service does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

FAR = datetime(9000, 1, 1, tzinfo=UTC)
ORDER = ["promotional", "research", "compensation", "paid"]
ALLOWANCES = {"small": 1_000, "large": 3_000}
#: Millicredits a CPU-second by the price list of a day, and the fee of a run.
RATES = {"2026-01-01": 1, "2026-03-01": 2}
FEE = 7
#: Hard limits of both tiers: at a time, in a month, in 30 days by the hour, in a minute.
LIMITS = {"runs.concurrent": 3, "requests.month": 9, "bytes.30d": 9, "api.minute": 6}
Answer = tuple[Any, ...]


def month(at: datetime) -> tuple[int, int]:
    return at.year, at.month


def month_text(at: datetime) -> str:
    return f"{at.year}-{at.month:02}"


def first_of_next(at: datetime) -> datetime:
    after = at.replace(day=28) + timedelta(days=7)
    return datetime(after.year, after.month, 1, tzinfo=UTC)


def prices_on(at: datetime) -> str:
    return max(day for day in RATES if day <= at.date().isoformat())


@dataclass
class GrantBox:
    """Credits given."""

    id: str
    wallet: str
    amount: int
    remaining: int
    priority: int
    category: str
    created: datetime
    effective: datetime
    expires: datetime | None
    kinds: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    month: tuple[int, int] | None = None
    held: int = 0

    def place(self) -> tuple[Any, ...]:
        """Earlier is spent first."""
        where = ORDER.index(self.category)
        return (self.priority, self.expires or FAR, where, self.effective, self.created, self.id)

    def over(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires

    def pays(self, hold: HoldBox, now: datetime) -> bool:
        if now < self.effective or self.over(now) or self.remaining == self.held:
            return False
        if self.kinds and hold.kind not in self.kinds:
            return False
        wild = hold.algorithm.split("/")[0] + "/*"
        return not self.algorithms or hold.algorithm in self.algorithms or wild in self.algorithms


@dataclass
class HoldBox:
    """Credits set aside."""

    id: str
    wallet: str
    member: str
    asked: int
    kind: str
    reference: str
    algorithm: str
    prices: str
    expires: datetime
    amount: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    status: str = "held"
    captured: int = 0
    resolved: datetime | None = None


@dataclass
class MemberBox:
    """A member of an organisation."""

    ceiling: int | None
    role: str
    active: bool = True
    default: bool = False
    held: int = 0
    spent: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass
class MeterBox:
    """What was reported of a hold."""

    id: str
    seconds: float = 0.0
    final: bool = False
    fault: str = "none"
    heard: datetime | None = None
    settled: bool = False


class Model:
    """Wallets, holds, grants, organisations, meters and limits."""

    def __init__(self) -> None:
        self.wallets: dict[str, str] = {}  # its tier
        self.grants: dict[str, GrantBox] = {}
        self.holds: dict[str, HoldBox] = {}
        self.members: dict[tuple[str, str], MemberBox] = {}
        self.meters: dict[str, MeterBox] = {}  # by hold
        self.events: dict[str, tuple[Any, ...]] = {}  # by id
        self.draws: dict[tuple[str, str], int] = {}  # millicredits by cause and grant
        self.takes: dict[str, dict[str, Any]] = {}
        self.level: dict[str, tuple[int, datetime]] = {}  # of a rate, in millionths
        self.minted = 0
        self.earned = 0

    # ---- wallets

    def available(self, wallet: str, now: datetime) -> int:
        boxes = (box for box in self.of(wallet) if box.effective <= now and not box.over(now))
        return sum(box.remaining - box.held for box in boxes)

    def of(self, wallet: str) -> list[GrantBox]:
        return [box for box in self.grants.values() if box.wallet == wallet]

    def balance(self, wallet: str) -> int:
        return sum(box.remaining for box in self.of(wallet))

    def held(self, wallet: str) -> int:
        return sum(hold.amount for hold in self.holds.values() if hold.wallet == wallet and hold.status == "held")

    def touch(self, wallet: str, now: datetime) -> bool:
        """What every visit to a wallet does first; false where there is none."""
        if wallet not in self.wallets:
            if wallet.startswith("organisation:"):
                return False
            self.wallets[wallet] = "small"
        for box in self.of(wallet):
            if box.over(now) and box.remaining > box.held:
                # A grant may lapse in parts, as the holds it backed end; also twice at one instant.
                key = f"lapse:{wallet}", box.id
                self.draws[key] = self.draws.get(key, 0) + box.remaining - box.held
                self.minted -= box.remaining - box.held
                box.remaining = box.held
        self.top_up(wallet, now)
        return True

    def top_up(self, wallet: str, now: datetime) -> None:
        target = ALLOWANCES[self.wallets[wallet]]
        due = target - sum(box.amount for box in self.of(wallet) if box.month == month(now))
        if due > 0:
            name = f"allowance:{wallet}:{month_text(now)}:{target}"
            self.add(
                GrantBox(
                    name, wallet, due, due, 10, "promotional", now, now, first_of_next(now), month=month(now)
                )
            )  # fmt: skip

    def add(self, box: GrantBox) -> None:
        self.grants[box.id] = box
        self.minted += box.amount

    def look(self, wallet: str, now: datetime) -> Answer:
        if not self.touch(wallet, now):
            return "error", "no-such-wallet"
        return "ok", self.balance(wallet), self.held(wallet), self.available(wallet, now)

    def assign_tier(self, wallet: str, tier: str, now: datetime) -> Answer:
        if not self.touch(wallet, now):
            return "error", "no-such-wallet"
        self.wallets[wallet] = tier
        self.top_up(wallet, now)
        return "ok", self.balance(wallet)

    def grant(
        self, name: str, wallet: str, amount: int, *, category: str, priority: int, effective: datetime | None,
        expires: datetime | None, kinds: tuple[str, ...], algorithms: tuple[str, ...], now: datetime
    ) -> Answer:  # fmt: skip
        if not self.touch(wallet, now):
            return "error", "no-such-wallet"
        known = self.grants.get(f"gift:{name}")
        if known:
            same = (known.wallet, known.amount) == (wallet, amount)
            return ("ok", known.remaining) if same else ("error", "grant-differs")
        begins = effective or now
        if expires is not None and expires <= max(now, begins):
            return "error", "invalid-request"
        self.add(
            GrantBox(
                f"gift:{name}", wallet, amount, amount, priority, category, now, begins, expires, kinds, algorithms
            )
        )  # fmt: skip
        return "ok", amount

    # ---- holds

    def hold(
        self, name: str, member: str, amount: int, *, payer: str | None, kind: str, reference: str, algorithm: str,
        seconds: int, prices: str | None, now: datetime
    ) -> Answer:  # fmt: skip
        if payer is not None and payer != member and not payer.startswith("organisation:"):
            return "error", "not-a-member"
        wallet = payer or self.payer(member)
        if not self.touch(wallet, now):
            return "error", "no-such-wallet"
        known = self.holds.get(name)
        if known:
            same = (known.member, known.asked, known.kind, known.reference) == (member, amount, kind, reference)
            return ("ok", known.amount, known.status) if same else ("error", "hold-differs")
        ends = now + timedelta(seconds=seconds)
        made = HoldBox(name, wallet, member, amount, kind, reference, algorithm, prices or prices_on(now), ends)
        code = self.set_aside(made, amount, now)
        if code:
            return code
        self.holds[name] = made
        return "ok", amount, "held"

    def payer(self, member: str) -> str:
        chosen = [org for (org, who), box in self.members.items() if who == member and box.default]
        return chosen[0] if chosen else member

    def set_aside(self, hold: HoldBox, amount: int, now: datetime) -> Answer | None:
        box = self.members.get((hold.wallet, hold.member))
        if hold.wallet.startswith("organisation:") and (box is None or not box.active):
            return "error", "not-a-member"

        def room() -> bool:
            return box is None or box.ceiling is None or box.spent.get(month(now), 0) + box.held + amount <= box.ceiling

        def funds() -> int:
            return sum(one.remaining - one.held for one in self.of(hold.wallet) if one.pays(hold, now))

        # A ceiling below what is used already leaves room for nothing, which a hold of nothing fits into.
        if amount and (not room() or funds() < amount):
            for late in self.overdue(now):
                if late.wallet == hold.wallet and late.id != hold.id and not self.used(late.id):
                    self.end(late, "expired", 0, now)
        if amount and not room():
            return "refused", "member-ceiling"
        if funds() < amount:
            return "refused", "credits-exhausted"
        hold.amount += amount
        if box:
            box.held += amount
        for one in sorted((one for one in self.of(hold.wallet) if one.pays(hold, now)), key=GrantBox.place):
            part = min(amount, one.remaining - one.held)
            if part:
                one.held += part
                hold.parts[one.id] = hold.parts.get(one.id, 0) + part
                amount -= part
        return None

    def overdue(self, now: datetime) -> list[HoldBox]:
        return [hold for hold in self.holds.values() if hold.status == "held" and hold.expires <= now]

    def end(self, hold: HoldBox, status: str, captured: int, now: datetime) -> None:
        hold.status, hold.captured, hold.resolved = status, captured, now
        left = captured
        for name in self.payers_of(hold, now):
            part, box = hold.parts[name], self.grants[name]
            used = min(part, left)
            left -= used
            box.held -= part
            box.remaining -= used
            if used:
                self.draws[f"capture:{hold.id}", name] = used
        assert left == 0
        self.earned += captured
        member = self.members.get((hold.wallet, hold.member))
        if member:
            member.held -= hold.amount
            member.spent[month(now)] = member.spent.get(month(now), 0) + captured

    def payers_of(self, hold: HoldBox, now: datetime) -> list[str]:
        """Grants whose time is over first, because what returns to them is lost; then in their order."""
        dead = [name for name in hold.parts if self.grants[name].over(now)]
        alive = [name for name in hold.parts if not self.grants[name].over(now)]
        return [*sorted(dead, key=self._place), *sorted(alive, key=self._place)]

    def _place(self, name: str) -> tuple[Any, ...]:
        return self.grants[name].place()

    def capture(self, name: str, amount: int, now: datetime) -> Answer:
        hold = self.holds.get(name)
        if hold is None:
            return "error", "no-such-hold"
        if hold.status == "captured":
            same = hold.captured == amount
            return ("ok", amount, hold.amount - amount) if same else ("error", "captured-differently")
        if hold.status != "held":
            return "error", f"hold-{hold.status}"
        if amount > hold.amount:
            return "error", "capture-exceeds-hold"
        self.end(hold, "captured", amount, now)
        return "ok", amount, hold.amount - amount

    def release(self, name: str, now: datetime) -> Answer:
        hold = self.holds.get(name)
        if hold is None:
            return "error", "no-such-hold"
        if hold.status == "captured":
            return "error", "hold-captured"
        if hold.status == "held":
            self.end(hold, "released", 0, now)
        return "ok", 0, hold.amount

    def extend(self, name: str, seconds: int, amount: int | None, now: datetime) -> Answer:
        hold = self.holds.get(name)
        if hold is None:
            return "error", "no-such-hold"
        self.touch(hold.wallet, now)
        if hold.status != "held":
            return "error", f"hold-{hold.status}"
        if amount is not None and amount > hold.amount:
            code = self.set_aside(hold, amount - hold.amount, now)
            if code:
                return code
        hold.expires = max(hold.expires, now + timedelta(seconds=seconds))
        return "ok", hold.amount, "held"

    def refund(self, name: str, amount: int | None, now: datetime) -> Answer:
        hold = self.holds.get(name)
        if hold is None:
            return "error", "no-such-hold"
        if not hold.captured:
            return "error", "not-captured"
        back = hold.captured if amount is None else amount
        if back > hold.captured:
            return "error", "invalid-request"
        given = self.grants.get(f"refund:{name}")
        if given:
            return ("ok", back) if given.amount == back else ("error", "refund-differs")
        ends = [self.grants[grant].expires for cause, grant in self.draws if cause == f"capture:{name}"]
        lasts = None if None in ends else max([now + timedelta(days=31), *(end for end in ends if end)])
        self.grants[f"refund:{name}"] = GrantBox(
            f"refund:{name}", hold.wallet, back, back, 15, "compensation", now, now, lasts
        )
        self.earned -= back
        return "ok", back

    def sweep(self, now: datetime) -> None:
        for late in self.overdue(now):
            if not self.used(late.id):
                self.end(late, "expired", 0, now)

    # ---- usage

    def used(self, hold: str) -> bool:
        return hold in self.meters and self.meters[hold].seconds > 0

    def report(self, events: list[dict[str, Any]], now: datetime) -> Answer:
        """Events of meters: id, hold, sequence, seconds, final, fault. All of them or none."""
        fresh: dict[str, dict[str, Any]] = {}
        for event in events:
            said = (event["hold"], event["sequence"], event["seconds"], event["final"], event["fault"])
            if event["id"] in self.events:
                if self.events[event["id"]] != said:
                    return "error", "usage-event-differs"
            elif event["id"] not in fresh:
                fresh[event["id"]] = event
        for name, event in fresh.items():
            said = (event["hold"], event["sequence"], event["seconds"], event["final"], event["fault"])
            self.events[name] = said
            self.count(event, now)
        return "ok", len(events)

    def count(self, event: dict[str, Any], now: datetime) -> None:
        hold = self.holds[event["hold"]]
        if hold.status != "held" or (hold.id in self.meters and self.meters[hold.id].settled):
            return
        meter = self.meters.setdefault(hold.id, MeterBox(event["meter"]))
        meter.seconds = max(meter.seconds, event["seconds"])
        meter.heard = now
        if event["final"]:
            faults = ["none", "user", "platform"]
            meter.final = True
            meter.fault = max(meter.fault, event["fault"], key=faults.index)

    def settle(self, name: str, seconds: float, fault: str, now: datetime) -> Answer:
        hold = self.holds.get(name)
        if hold is None:
            return "error", "no-such-hold"
        meter = self.meters[name].id if name in self.meters else name
        final = {"id": f"settle/{name}", "hold": name, "meter": meter, "sequence": -1, "seconds": seconds}
        told = self.report([final | {"final": True, "fault": fault}], now)
        if told[0] == "error":
            return told
        self.close(hold, now)
        if fault == "platform" and hold.captured and f"refund:{name}" not in self.grants:
            self.refund(name, None, now)
        return "ok", hold.captured, hold.amount - hold.captured

    def close(self, hold: HoldBox, now: datetime) -> None:
        meter = self.meters.get(hold.id)
        if meter:
            meter.settled = True
        if meter is None or hold.status != "held":
            return
        if meter.fault == "platform":
            self.end(hold, "released", 0, now)
        else:
            cost = int(meter.seconds) * RATES[hold.prices] + (FEE if hold.kind == "run" else 0)
            self.end(hold, "captured", min(cost, hold.amount), now)

    def sweep_meters(self, now: datetime) -> None:
        for hold in self.holds.values():
            meter = self.meters.get(hold.id)
            if meter is None or meter.settled:
                continue
            ours = self.events.get(f"settle/{hold.id}") is not None and meter.final
            assert meter.heard is not None
            due = meter.final and (ours or meter.heard + timedelta(seconds=60) <= now)
            late = hold.status == "held" and hold.expires <= now and meter.seconds > 0
            if due or late:
                self.close(hold, now)

    # ---- limits

    def take(self, name: str, account: str, limit: str, amount: int, *, seconds: int | None, now: datetime) -> Answer:
        known = self.takes.get(name)
        if known:
            if known["limit"] == "runs.concurrent":
                if self._ended(known, now):
                    return "error", "take-ended"
                if seconds is not None and known["ends"] is not None:
                    known["ends"] = max(known["ends"], now + timedelta(seconds=seconds))
            elif known["back"]:
                return "error", "take-ended"
            return "ok", known["amount"]
        if limit == "api.minute":
            fits = self._drain(account, amount, now)
        else:
            fits = self._counted(account, limit, now) + amount <= LIMITS[limit]
        if not fits:
            return "refused", "quota-exceeded"
        ends = None if seconds is None else now + timedelta(seconds=seconds)
        self.takes[name] = {
            "account": account, "limit": limit, "amount": amount, "at": now, "ends": ends, "back": False
        }  # fmt: skip
        return "ok", amount

    def _ended(self, take: dict[str, Any], now: datetime) -> bool:
        return take["back"] or (take["ends"] is not None and take["ends"] <= now)

    def _counted(self, account: str, limit: str, now: datetime) -> int:
        total = 0
        for take in self.takes.values():
            if (take["account"], take["limit"]) != (account, limit) or take["back"]:
                continue
            hour = take["at"].replace(minute=0, second=0, microsecond=0)
            counts = {
                "runs.concurrent": not self._ended(take, now),
                "requests.month": month(take["at"]) == month(now),
                "bytes.30d": now < hour + timedelta(hours=1, days=30),
            }
            total += take["amount"] * counts[limit]
        return total

    def _drain(self, account: str, amount: int, now: datetime) -> bool:
        level, since = self.level.get(account, (0, now))
        passed = (now - since) // timedelta(microseconds=1)
        level = max(0, level - passed * LIMITS["api.minute"] // 60)
        if -(-level // 10**6) + amount > LIMITS["api.minute"]:
            return False
        self.level[account] = (level + amount * 10**6, now)
        return True

    def give_back(self, name: str, now: datetime) -> Answer:
        take = self.takes.get(name)
        if take and not self._ended(take, now):
            take["back"] = True
        return ("ok",)
