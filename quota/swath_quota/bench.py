"""How many holds a second the ledger takes, in process: rules and store, without HTTP.

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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from swath_service.actor import Actor, ActorKind, Scope

from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.store.engine import connect
from swath_quota.store.migrate import migrate
from swath_quota.store.sql import SqlBooks

_ACTOR = Actor(name="bench", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
_PURPOSE = Purpose(kind=PurposeKind.RUN, reference="bench")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was measured, per second."""

    database: str
    threads: int
    wallets: int
    holds_per_second: float
    """A hold on one of `wallets` wallets."""
    hot_holds_per_second: float
    """A hold, every thread on the same wallet."""
    settled_holds_per_second: float
    """A hold and its capture."""


def measure(url: str, *, seconds: float = 3.0, threads: int = 4, wallets: int = 200) -> Rates:
    """Rates of the ledger at `url`, which is upgraded and written to: give it a scratch database.

    The books are audited afterwards.

    Raises
    ------
    RuntimeError
        An invariant does not hold after the load, so the rates mean nothing.
    """
    engine = connect(url)
    try:
        migrate(engine)
        desk = services.Desk(books=SqlBooks(engine), tiers=load_tiers(), prices=load_prices())
        names = [f"bench-{number}" for number in range(wallets)]
        for name in names:
            services.wallet(_ACTOR, desk, account=name)
        rates = Rates(
            database=engine.dialect.name,
            threads=threads,
            wallets=wallets,
            holds_per_second=_rate(desk, names, seconds=seconds, threads=threads),
            hot_holds_per_second=_rate(desk, names[:1], seconds=seconds, threads=threads),
            settled_holds_per_second=_rate(desk, names, seconds=seconds, threads=threads, settle=True),
        )
        report = services.audit(_ACTOR, desk)
        if not report.ok:
            raise RuntimeError(f"the books are broken after the load: {report.breaches[:3]}")
        return rates
    finally:
        engine.dispose()


def _rate(desk: services.Desk, names: list[str], *, seconds: float, threads: int, settle: bool = False) -> float:
    """How often a second `threads` threads together place, and perhaps settle, a hold."""
    began = time.perf_counter()

    def work(number: int) -> int:
        done = 0
        while time.perf_counter() - began < seconds:
            hold_id = uuid.uuid4().hex
            services.hold(
                _ACTOR,
                desk,
                hold_id=hold_id,
                account=names[(number + done * threads) % len(names)],
                amount=1,
                purpose=_PURPOSE,
                expires_in_seconds=3600,
            )
            if settle:
                services.capture(_ACTOR, desk, hold_id=hold_id, amount=1, usage={})
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(work, range(threads)))
    return round(total / (time.perf_counter() - began), 1)


def main() -> int:
    """Measure the databases named, or SQLite in a scratch folder, and print one JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m swath_quota.bench", description="Holds a second.")
    parser.add_argument("database", nargs="*", help="URL of a scratch database")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for url in chosen.database or [f"sqlite:///{Path(folder) / 'bench.sqlite'}"]:
            print(json.dumps(asdict(measure(url, seconds=chosen.seconds, threads=chosen.threads))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
