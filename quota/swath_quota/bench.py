"""How many holds, captures and checks a second the ledger takes, in process: rules and store, without HTTP.

Every rate is of durable work: each hold is committed (PostgreSQL: as its own settings say, by default flushed;
SQLite: ``synchronous=FULL``) before it counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from swath_service.actor import Actor, ActorKind, Scope

from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.accounts import ISSUER, Account, AccountKind, account_of_id, new_account, platform_of
from swath_quota.domain.holds import Purpose, PurposeKind, Refusal
from swath_quota.domain.ports import Unit
from swath_quota.services.opening import give_allowance, plan_refresh
from swath_quota.store.engine import connect
from swath_quota.store.migrate import migrate
from swath_quota.store.sql import SqlBooks

_ACTOR = Actor(name="bench", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
_PURPOSE = Purpose(kind=PurposeKind.RUN, reference="bench")
_ORGANISATION = "bench"
#: Wallets opened in one transaction.
_AT_ONCE = 500


class Work(StrEnum):
    """What is counted."""

    HOLD = "holds"
    """A hold of one millicredit."""
    SETTLE = "hold + capture"
    """A hold and then its capture, two durable transactions."""
    CHECK = "checks"
    """Whether one millicredit could be held."""


class Ledger:
    """A ledger under load: many users with wallets of their own, and an organisation whose members share one.

    Parameters
    ----------
    members
        How many of the users spend from the organisation's wallet when it is the hot one.
    """

    def __init__(self, desk: services.Desk, *, wallets: int, members: int) -> None:
        self._desk = desk
        self.users = [f"bench-{number}" for number in range(wallets)]
        self.members = self.users[:members]
        self.payer = f"organisation:{_ORGANISATION}"

    def open(self) -> None:
        """Open every wallet, with the allowance of its tier, and admit the members."""
        for first in range(0, len(self.users), _AT_ONCE):
            self._open(self.users[first : first + _AT_ONCE])
        services.open_organisation(_ACTOR, self._desk, name=_ORGANISATION, title="Bench")
        services.grant(
            _ACTOR, self._desk, grant_id="bench", account=self.payer, amount=10**11, description="to be held"
        )
        for member in self.members:
            services.admit(_ACTOR, self._desk, name=_ORGANISATION, member=member)

    def rate(self, work: Work, *, hot: bool, seconds: float, clients: int) -> float:
        """How often a second `clients` threads together do `work`: each on any wallet, or all on the organisation's."""
        names, payer = (self.members, self.payer) if hot else (self.users, None)
        step = {Work.HOLD: self._hold, Work.SETTLE: self._settle, Work.CHECK: self._check}[work]
        began = time.perf_counter()

        def client(number: int) -> int:
            done = 0
            while time.perf_counter() - began < seconds:
                # Far apart, so that two clients are on the same wallet as rarely as two of many users are.
                step(names[(number * len(names) // clients + done) % len(names)], payer)
                done += 1
            return done

        with ThreadPoolExecutor(clients) as pool:
            total = sum(pool.map(client, range(clients)))
        return total / (time.perf_counter() - began)

    def audit(self) -> None:
        """Look through the books.

        Raises
        ------
        RuntimeError
            An invariant does not hold after the load, so the rates mean nothing.
        """
        report = services.audit(_ACTOR, self._desk)
        if not report.ok:
            raise RuntimeError(f"the books are broken after the load: {report.breaches[:3]}")

    def _hold(self, user: str, payer: str | None) -> str:
        hold_id = uuid.uuid4().hex
        placed = services.hold(
            _ACTOR,
            self._desk,
            hold_id=hold_id,
            account=user,
            amount=1,
            purpose=_PURPOSE,
            expires_in_seconds=3600,
            payer=payer,
        )
        if isinstance(placed, Refusal):
            raise RuntimeError(f"a hold of the bench was refused: {placed.message}")
        return hold_id

    def _settle(self, user: str, payer: str | None) -> None:
        services.capture(_ACTOR, self._desk, hold_id=self._hold(user, payer), amount=1, usage={})

    def _check(self, user: str, payer: str | None) -> None:
        if not services.spendable_by(_ACTOR, self._desk, account=user, payer=payer, purpose=_PURPOSE):
            raise RuntimeError(f"{payer or user} has nothing to spend")

    def _open(self, names: Sequence[str]) -> None:
        """As `services.opening.refresh` does, many at a time."""
        now = self._desk.clock()
        accounts = [new_account(AccountKind.USER, name, at=now, tier=self._desk.tiers.default) for name in names]

        def work(unit: Unit) -> None:
            earners = {platform_of(account.id) for account in accounts}
            others: list[Account] = [account_of_id(name, at=now) for name in (ISSUER, *earners)]
            unit.open_accounts([*accounts, *others])
            unit.lock([ISSUER, *(account.id for account in accounts)])
            for account in accounts:
                give_allowance(unit, account.id, desk=self._desk, now=now)
                plan_refresh(unit, account.id, now=now)

        self._desk.books.run(work)


@contextmanager
def ledger(url: str, *, wallets: int, members: int) -> Iterator[Ledger]:
    """A ledger at `url`, which is upgraded and written to: give it a scratch database."""
    engine = connect(url)
    try:
        migrate(engine)
        desk = services.Desk(books=SqlBooks(engine), tiers=load_tiers(), prices=load_prices())
        made = Ledger(desk, wallets=wallets, members=members)
        made.open()
        yield made
    finally:
        engine.dispose()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One rate of one ledger."""

    work: Work
    hot: bool
    """Whether all spend from the one organisation's wallet."""


CASES = tuple(Case(work=work, hot=hot) for work in Work for hot in (False, True))


def measurement(made: Ledger, case: Case, *, seconds: float, clients: int) -> Callable[[], float]:
    """`case` on a ledger, to be measured when called."""
    return lambda: made.rate(case.work, hot=case.hot, seconds=seconds, clients=clients)


def main() -> int:
    """Measure the databases named, or SQLite in a scratch folder, and print one JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m swath_quota.bench", description=__doc__)
    parser.add_argument("database", nargs="*", help="URL of a scratch database")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--wallets", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for url in chosen.database or [f"sqlite:///{Path(folder) / 'bench.sqlite'}"]:
            with ledger(url, wallets=chosen.wallets, members=chosen.clients) as made:
                for case in CASES:
                    rate = measurement(made, case, seconds=chosen.seconds, clients=chosen.clients)()
                    told = {"database": url.partition(":")[0], "work": case.work, "hot": case.hot, "rate": round(rate)}
                    print(json.dumps(told), flush=True)
                made.audit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
