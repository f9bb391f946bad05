"""Holds, captures and checks a second, beside a bare ``pgbench`` on the same PostgreSQL in the same run.

The floor is what a ledger cannot do without: one guarded UPDATE and one INSERT in a durable transaction, from a client
in C, without rules, hashes, grants or replays. Its hot variant has every client on the same row.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
from postgres_scratch import ScratchCluster, binaries
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url
from swath_quota.bench import CASES, Case, Work, ledger, measurement

WALLETS = 10_000
CLIENTS = 20
_TABLES = """
CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL, held bigint NOT NULL);
CREATE TABLE holds (
  id uuid PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, amount bigint NOT NULL,
  created_at timestamptz NOT NULL
);
INSERT INTO accounts SELECT number, 1000000000, 0 FROM generate_series(1, {wallets}) AS number;
"""
_SCRIPT = """\\set x {choice}
BEGIN;
UPDATE accounts SET held = held + 1 WHERE id = :x AND balance - held >= 1;
INSERT INTO holds (id, account_id, amount, created_at) VALUES (gen_random_uuid(), :x, 1, now());
END;
"""
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
#: What is measured: on which database, the case.
Key = tuple[str, Case]


class Floor:
    """A database of its own on `cluster`, and pgbench's scripts for it."""

    def __init__(self, pgbench: Path, folder: Path, *, url: str) -> None:
        parsed = make_url(url)
        self._where = ["-h", str(parsed.query["host"]), "-U", str(parsed.username), str(parsed.database)]
        self._pgbench = pgbench
        self._scripts = {}
        for hot, choice in ((False, f"random(1, {WALLETS})"), (True, "1")):
            self._scripts[hot] = folder / f"floor-{'hot' if hot else 'many'}.sql"
            self._scripts[hot].write_text(_SCRIPT.format(choice=choice))
        with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute(_TABLES.format(wallets=WALLETS))

    def rate(self, *, hot: bool, seconds: float) -> float:
        """Transactions a second."""
        # Without vacuuming first: pgbench would look for the tables of its own script.
        command: list[str | Path] = [
            self._pgbench,
            "-n",
            "-M",
            "prepared",
            "-c",
            str(CLIENTS),
            "-j",
            "2",
            "-f",
            self._scripts[hot],
        ]
        command += ["-T", str(max(1, round(seconds))), *self._where]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        found = _TPS.search(ran.stdout)
        if ran.returncode or not found:
            raise RuntimeError(f"pgbench failed: {ran.stderr[-1000:]}")
        return float(found[1])


def find_pgbench() -> Path | None:
    """pgbench of the server's version, or the one on the path."""
    beside = binaries() / "pgbench"
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    return Path(found) if found else None


def bench_ledger(say: Console, *, seconds: float, rounds: int) -> None:
    """Measure in interleaved rounds and print the medians and their ratios."""
    pgbench = find_pgbench()
    if pgbench is None:
        say.print("no pgbench: it comes with the package postgresql-contrib or postgresql; the floor is left out")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swath-bench-")))
        cluster = ScratchCluster(durable=True)
        stack.callback(cluster.stop)
        cluster.start()
        urls = {"PostgreSQL": stack.enter_context(cluster.database()), "SQLite": f"sqlite:///{folder}/bench.sqlite"}
        ledgers = {
            name: stack.enter_context(ledger(url, wallets=WALLETS, members=CLIENTS)) for name, url in urls.items()
        }
        steps = {
            (name, case): measurement(made, case, seconds=seconds, clients=CLIENTS)
            for name, made in ledgers.items()
            for case in CASES
        }
        floors: dict[bool, Callable[[], float]] = {}
        if pgbench is not None:
            floor = Floor(pgbench, folder, url=stack.enter_context(cluster.database()))
            floors = {hot: lambda hot=hot: floor.rate(hot=hot, seconds=seconds) for hot in (False, True)}  # type: ignore[misc]
        rates, bare = _measure(steps, floors, rounds=rounds)
        for made in ledgers.values():
            made.audit()
    _print(say, rates, bare, rounds=rounds)


def _measure(
    steps: dict[Key, Callable[[], float]], floors: dict[bool, Callable[[], float]], *, rounds: int
) -> tuple[dict[Key, float], dict[bool, float]]:
    """The median of each over the rounds."""
    rates, bare = defaultdict(list), defaultdict(list)
    for _ in range(rounds):
        for hot, measure in floors.items():
            bare[hot].append(measure())
        for key, measure in steps.items():
            rates[key].append(measure())
    return (
        {key: statistics.median(found) for key, found in rates.items()},
        {key: statistics.median(found) for key, found in bare.items()},
    )


def _print(say: Console, rates: dict[Key, float], bare: dict[bool, float], *, rounds: int) -> None:
    title = f"ledger in process, {CLIENTS} clients, {WALLETS:,} wallets; {rounds} rounds, medians, per second"
    table = Table("database", "work", "many wallets", "one wallet", title=title)
    for column in ("one / many", "many / pgbench", "one / pgbench's one row"):
        table.add_column(column)
    if bare:
        table.add_row(
            "pgbench", "UPDATE + INSERT", _count(bare[False]), _count(bare[True]), _ratio(bare[True], bare[False])
        )
    for name in dict.fromkeys(name for name, _ in rates):
        for work in Work:
            many, one = (rates[name, Case(work=work, hot=hot)] for hot in (False, True))
            transactions = 2 if work is Work.SETTLE else 1
            # A check writes nothing, so pgbench's transaction is no measure of it.
            has_floor = bare and work is not Work.CHECK
            beside = [_ratio(transactions * rate, bare[hot]) for rate, hot in ((many, False), (one, True)) if has_floor]
            table.add_row(name, work, _count(many), _count(one), _ratio(one, many), *beside)
    say.print(table)
    say.print("hold + capture counts pairs, two transactions each, so beside pgbench a pair counts twice")
    say.print(f"books audited; load now {os.getloadavg()[0]:.1f}")


def _count(rate: float) -> str:
    return f"{rate:,.0f}"


def _ratio(rate: float, other: float) -> str:
    return f"{rate / other:.2f}"
