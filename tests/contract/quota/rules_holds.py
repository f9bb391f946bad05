"""Rules of the state machine in `machine.py`: what is done to holds, meters and limits, and what is always true."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from swath_quota import services
from swath_quota.domain.accounts import wallet_id
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind, Refusal
from swath_quota.domain.ledger import Direction
from swath_quota.domain.ports import Reader
from swath_quota.domain.usage import Fault, UsageEvent
from swath_quota.services.takes import REMEMBERED

rules = sys.modules["swath_tests_rules"]
model = rules.model
amounts = st.integers(0, 1500)
spans = st.sampled_from([60, 3600, rules.DAY, 40 * rules.DAY])
indexes = st.integers(0, 60)
faults = st.sampled_from(["none", "none", "user", "platform"])


def told(answer: Any) -> tuple[Any, ...]:
    """What a service said, as the model says it."""
    if isinstance(answer, Refusal):
        return "refused", answer.code
    if isinstance(answer, Hold):
        return "ok", answer.amount, str(answer.status)
    return "ok", answer.captured, answer.returned


class Machine(rules.Base):  # type: ignore[misc,name-defined]
    """All rules."""

    # ---- holds

    @rule(
        member=st.sampled_from(rules.USERS),
        amount=amounts,
        payer=st.sampled_from([None, None, None, *rules.WALLETS]),
        kind=st.sampled_from(["run", "run", "lab", "dask"]),
        algorithm=st.sampled_from(rules.ALGORITHMS),
        seconds=spans,
        prices=st.sampled_from([None, None, "2026-01-01", "2026-03-01"]),
    )
    def hold(self, **given: Any) -> None:
        def real(*, name: str, kind: str, reference: str, algorithm: str, **plain: Any) -> Any:
            placed = services.hold(
                rules.SERVICE,
                self.desk,
                hold_id=name,
                account=plain["member"],
                amount=plain["amount"],
                purpose=Purpose(kind=PurposeKind(kind), reference=reference, algorithm=algorithm),
                expires_in_seconds=plain["seconds"],
                payer=plain["payer"],
                price_version=plain["prices"],
            )
            return told(placed if isinstance(placed, Refusal) else placed.hold)

        name = self.fresh("h")
        self.both(
            real, lambda **plain: self.model.hold(now=self.now, **plain), name=name, reference=f"of {name}", **given
        )

    @precondition(lambda self: self.model.holds)
    @rule(index=indexes, part=st.sampled_from([0, 1, 40, 99, 100, 101]))
    def capture(self, index: int, part: int) -> None:
        hold = self.some(self.model.holds.values(), index)
        if hold.id in self.model.meters:
            return  # What is metered is settled by its meter; the audit would say so.

        def real(*, name: str, amount: int) -> Any:
            return told(services.capture(rules.SERVICE, self.desk, hold_id=name, amount=amount, usage={"x": 1.0}))

        def expected(*, name: str, amount: int) -> Any:
            return self.model.capture(name, amount, self.now)

        self.both(real, expected, name=hold.id, amount=hold.amount * part // 100 + (part > 100))

    @precondition(lambda self: self.model.holds)
    @rule(index=indexes)
    def release(self, index: int) -> None:
        def real(*, name: str) -> Any:
            return told(services.release(rules.SERVICE, self.desk, hold_id=name, reason="canceled"))

        name = self.some(self.model.holds, index)
        self.both(real, lambda name: self.model.release(name, self.now), name=name)

    @precondition(lambda self: self.model.holds)
    @rule(index=indexes, seconds=spans, more=st.sampled_from([None, -5, 0, 1, 200, 2500]))
    def extend(self, index: int, seconds: int, more: int | None) -> None:
        def real(*, name: str, seconds: int, amount: int | None) -> Any:
            return told(
                services.extend(rules.SERVICE, self.desk, hold_id=name, expires_in_seconds=seconds, amount=amount)
            )

        def expected(*, name: str, seconds: int, amount: int | None) -> Any:
            return self.model.extend(name, seconds, amount, self.now)

        hold = self.some(self.model.holds.values(), index)
        amount = None if more is None else max(0, hold.amount + more)
        self.both(real, expected, name=hold.id, seconds=seconds, amount=amount)

    @precondition(lambda self: self.model.holds)
    @rule(index=indexes, part=st.sampled_from([None, None, 1, 60]))
    def refund(self, index: int, part: int | None) -> None:
        def real(*, name: str, amount: int | None) -> Any:
            return "ok", services.refund(rules.SERVICE, self.desk, hold_id=name, reason="sorry", amount=amount).returned

        name = self.some(self.model.holds, index)
        self.both(real, lambda name, amount: self.model.refund(name, amount, self.now), name=name, amount=part)

    @rule()
    def sweep(self) -> None:
        services.sweep(rules.SERVICE, self.desk)
        self.model.sweep(self.now)

    @rule()
    def sweep_meters(self) -> None:
        services.sweep_meters(rules.SERVICE, self.desk)
        self.model.sweep_meters(self.now)

    # ---- usage

    @precondition(lambda self: self.model.holds)
    @rule(
        index=indexes,
        seconds=st.lists(st.integers(0, 400), min_size=1, max_size=3),
        final=st.booleans(),
        fault=faults,
        turned=st.booleans(),
    )
    def report(self, index: int, seconds: list[int], final: bool, fault: str, turned: bool) -> None:
        """Some events of one meter, in their order or the other way round."""
        hold = self.some(self.model.holds.values(), index)
        if hold.status == "captured" and hold.id in self.model.meters and final:
            final = False
        events = []
        for place, one in enumerate(seconds):
            self.number += 1
            last = final and place == len(seconds) - 1
            events.append(
                {"id": f"e{self.number}", "hold": hold.id, "meter": self._meter(hold), "sequence": self.number}
                | {"seconds": float(one), "final": last, "fault": fault if last else "none"}
            )
        self.report_all(events[::-1] if turned else events)

    @precondition(lambda self: self.model.events)
    @rule(index=indexes, other=st.booleans())
    def report_again(self, index: int, other: bool) -> None:
        """A doubled event, or one that took another's id."""
        known = [(name, said) for name, said in self.model.events.items() if "/" not in name]
        if known:
            name, (hold, sequence, seconds, final, fault) = self.some(known, index)
            meter = self._meter(self.model.holds[hold])
            again = {"id": name, "hold": hold, "meter": meter, "sequence": sequence, "seconds": seconds + other}
            self.report_all([again | {"final": final, "fault": fault}] * 2)

    def _meter(self, hold: Any) -> str:
        known = self.model.meters.get(hold.id)
        return known.id if known else f"{hold.kind}-{hold.id}"

    def report_all(self, events: list[dict[str, Any]]) -> None:
        def real(*, events: list[dict[str, Any]]) -> Any:
            made = [
                UsageEvent(
                    id=event["id"],
                    meter=event["meter"],
                    hold_id=event["hold"],
                    account=self.model.holds[event["hold"]].member,
                    kind=PurposeKind(self.model.holds[event["hold"]].kind),
                    sequence=event["sequence"],
                    usage={"cpu_seconds": event["seconds"]},
                    final=event["final"],
                    fault=Fault(event["fault"]),
                    at=self.now - timedelta(days=event["sequence"] % 3),
                )
                for event in events
            ]
            return "ok", len(services.report_usage(rules.SERVICE, self.desk, events=made).results)

        self.both(real, lambda events: self.model.report(events, self.now), events=events)

    @precondition(lambda self: self.model.holds)
    @rule(index=indexes, seconds=st.integers(0, 900), fault=faults)
    def settle(self, index: int, seconds: int, fault: str) -> None:
        def real(*, name: str, seconds: float, fault: str) -> Any:
            usage = {"cpu_seconds": seconds}
            return told(services.settle(rules.SERVICE, self.desk, hold_id=name, usage=usage, fault=Fault(fault)))

        def expected(*, name: str, seconds: float, fault: str) -> Any:
            return self.model.settle(name, seconds, fault, self.now)

        name = self.some(self.model.holds, index)
        self.both(real, expected, name=name, seconds=float(seconds), fault=fault)

    # ---- limits

    @rule(
        account=st.sampled_from(rules.USERS),
        limit=st.sampled_from(sorted(model.LIMITS)),
        amount=st.integers(1, 4),
        seconds=st.sampled_from([None, 90, 7200]),
    )
    def take(self, limit: str, seconds: int | None, **given: Any) -> None:
        def real(*, name: str, seconds: int | None, **plain: Any) -> Any:
            answer = services.take(rules.SERVICE, self.desk, take_id=name, expires_in_seconds=seconds, **plain)
            return ("refused", answer.code) if isinstance(answer, Refusal) else ("ok", answer.amount)

        seconds = seconds if limit == "runs.concurrent" else None
        self.both(
            real,
            lambda **plain: self.model.take(now=self.now, **plain),
            name=self.fresh("t"),
            limit=limit,
            seconds=seconds,
            **given,
        )

    @precondition(lambda self: self.model.takes)
    @rule(index=indexes)
    def give_back(self, index: int) -> None:
        def real(*, name: str) -> Any:
            services.give_back(rules.SERVICE, self.desk, take_id=name)
            return ("ok",)

        name = self.some(self.model.takes, index)
        self.both(real, lambda name: self.model.give_back(name, self.now), name=name)

    # ---- replays

    @precondition(lambda self: self.past)
    @rule(index=indexes)
    def again(self, index: int) -> None:
        """Any earlier call once more: the model knows what it is by its id."""
        real, expected, given = self.some(self.past, index)
        if real.__qualname__.startswith("Machine.capture") and given["name"] in self.model.meters:
            return
        taken = self.model.takes.get(given.get("name"))
        if taken and self.now - taken["at"] > REMEMBERED:
            return  # The service remembers takes for so long and no longer.
        self.both(real, expected, keep=False, **given)

    # ---- what is always true

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        report = services.audit(rules.SERVICE, self.desk)
        assert report.breaches == ()
        assert report.totals.debits == report.totals.credits

    @invariant()
    def the_books_are_the_models(self) -> None:
        self.desk.books.read(self._compare)

    def _compare(self, reader: Reader) -> None:
        sums: defaultdict[str, int] = defaultdict(int)
        for entry in reader.all_entries():
            sums[entry.account_id] += entry.amount if entry.direction is Direction.CREDIT else -entry.amount
        accounts = {account.id: account for account in reader.all_accounts()}
        assert {name: account.balance for name, account in accounts.items() if account.balance} == {
            name: total for name, total in sums.items() if total
        }
        platform = sum(account.balance for name, account in accounts.items() if name.startswith("platform:"))
        assert platform == self.model.earned
        if "issuer:swath" in accounts:
            assert accounts["issuer:swath"].balance == -self.model.minted
        for wallet, tier in self.model.wallets.items():
            account = accounts[wallet_id(wallet)]
            assert (account.tier, account.balance) == (tier, self.model.balance(wallet))
            assert account.held == self.model.held(wallet)
            assert 0 <= account.held <= account.balance
        assert {
            grant.id: (grant.amount, grant.remaining, grant.held, grant.expires_at) for grant in reader.all_grants()
        } == {box.id: (box.amount, box.remaining, box.held, box.expires) for box in self.model.grants.values()}
        self._compare_holds(reader)
        self._compare_members(reader)

    def _compare_holds(self, reader: Reader) -> None:
        stored = {hold.id: hold for hold in reader.all_holds()}
        assert stored.keys() == self.model.holds.keys()
        for name, hold in stored.items():
            box = self.model.holds[name]
            said = (hold.account, hold.member, hold.amount, str(hold.status), hold.captured, hold.expires_at)
            assert said == (box.wallet, box.member, box.amount, box.status, box.captured, box.expires)
            assert (hold.allocations, hold.price_version) == (tuple(box.parts.items()), box.prices)
            if hold.status is not HoldStatus.HELD:
                assert self.ended.setdefault(name, hold) == hold, "a hold ended twice"
        drawn = {(draw.transaction_id, draw.grant_id): draw.amount for draw in reader.all_draws()}
        captured = {key: amount for key, amount in drawn.items() if key[0].startswith("capture:")}
        assert captured == {key: part for key, part in self.model.draws.items() if key[0].startswith("capture:")}
        lapsed = sum(amount for key, amount in drawn.items() if key not in captured)
        assert lapsed == sum(part for key, part in self.model.draws.items() if key[0].startswith("lapse:"))

    def _compare_members(self, reader: Reader) -> None:
        stored = {(one.organisation, one.member): one for one in reader.all_memberships()}
        assert stored.keys() == self.model.members.keys()
        for key, one in stored.items():
            box = self.model.members[key]
            said = (one.ceiling, str(one.role), one.is_active, one.is_default, one.held)
            assert said == (box.ceiling, box.role, box.active, box.default, box.held)
            spent = one.spent if one.period == model.month_text(self.now) else 0
            assert spent == box.spent.get(model.month(self.now), 0)
