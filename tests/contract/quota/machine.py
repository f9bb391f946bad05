"""A state machine over the ledger, holds, meters, limits and organisations, on a clock of its own.

Every step is done twice, by the service and by the model in `model.py`; after each, both must agree and the service's
own audit must find nothing. As a command it runs as many examples as one likes:

    python tests/contract/quota/machine.py --examples 10000 [--database memory|sqlite|postgresql] [--seed S]
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.engine import make_url
from swath_quota.domain.ports import Books
from swath_quota.store.engine import connect
from swath_quota.store.limits_memory import MemoryLimits
from swath_quota.store.limits_sql import SqlLimits
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.migrate import migrate
from swath_quota.store.sql import SqlBooks
from swath_quota.store.usage_memory import MemoryMeters
from swath_quota.store.usage_sql import SqlMeters

HERE = Path(__file__).resolve().parent
STEPS = 40
#: Makes the empty stores of one example: the books, and the desk's others by name.
Stores = Callable[[], Any]


def beside(name: str, *, folder: Path = HERE) -> ModuleType:
    """A module of tests: no folder of tests is on ``sys.path``."""
    known = f"swath_tests_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, folder / f"{name}.py")
        assert spec
        assert spec.loader
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


for _name in ("model", "rules"):
    beside(_name)
Machine = beside("rules_holds").Machine


@contextmanager
def memory() -> Iterator[tuple[Books, dict[str, Any]]]:
    """Stores in memory."""
    yield MemoryBooks(), {"meters": MemoryMeters(), "limits": MemoryLimits()}


@contextmanager
def _over(url: str) -> Iterator[tuple[Books, dict[str, Any]]]:
    engine = connect(url)
    try:
        yield SqlBooks(engine), {"meters": SqlMeters(engine), "limits": SqlLimits(engine)}
    finally:
        engine.dispose()


def sqlite_stores(folder: Path) -> Stores:
    """A copy of a migrated file for each example."""
    template = folder / "template.sqlite"
    engine = connect(f"sqlite:///{template}")
    migrate(engine)
    # The last connection to go writes what is in the log into the file.
    engine.dispose()

    @contextmanager
    def stores() -> Iterator[tuple[Books, dict[str, Any]]]:
        path = folder / f"{uuid.uuid4().hex}.sqlite"
        shutil.copy(template, path)
        try:
            with _over(f"sqlite:///{path}") as made:
                yield made
        finally:
            for found in folder.glob(f"{path.name}*"):
                found.unlink()

    return stores


def postgresql_stores(template_url: str) -> Stores:
    """A copy of a migrated database for each example, on the same cluster."""
    engine = connect(template_url)
    migrate(engine)
    engine.dispose()
    template = make_url(template_url)
    admin = {"host": template.query["host"], "user": template.username, "dbname": "postgres", "autocommit": True}

    def do(statement: str) -> None:
        with psycopg.connect(**admin) as connection:  # type: ignore[arg-type]
            connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def stores() -> Iterator[tuple[Books, dict[str, Any]]]:
        name = f"example_{uuid.uuid4().hex}"
        do(f'CREATE DATABASE "{name}" TEMPLATE "{template.database}" STRATEGY FILE_COPY')
        try:
            with _over(template.set(database=name).render_as_string(hide_password=False)) as made:
                yield made
        finally:
            do(f'DROP DATABASE "{name}" WITH (FORCE)')

    return stores


def run(stores: Stores, *, examples: int, seed_: int, steps: int = STEPS) -> tuple[int, int]:
    """Run the machine; how many examples and steps were done. A failure is shrunk, printed and raised."""
    done, before = [0], Machine.steps

    @contextmanager
    def counted() -> Iterator[Any]:
        done[0] += 1
        with stores() as made:
            yield made

    @seed(seed_)
    class Seeded(Machine):  # type: ignore[misc,valid-type]
        stores = staticmethod(counted)

    run_state_machine_as_test(
        Seeded,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return done[0], sys.modules["swath_tests_rules"].Base.steps - before


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--database", choices=["memory", "sqlite", "postgresql"], default="memory")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--steps", type=int, default=STEPS, help="most steps of an example")
    asked = parser.parse_args(arguments)
    chosen = random.SystemRandom().randrange(2**32) if asked.seed is None else asked.seed
    logging.getLogger("swath_quota").setLevel(logging.ERROR)
    print(f"seed {chosen} on {asked.database}", flush=True)
    began = time.monotonic()
    with ExitStack() as stack:
        stores: Stores = memory
        if asked.database == "sqlite":
            stores = sqlite_stores(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        if asked.database == "postgresql":
            cluster = beside("postgres_scratch", folder=HERE.parents[1]).ScratchCluster()
            stack.callback(cluster.stop)
            cluster.start()
            stores = postgresql_stores(stack.enter_context(cluster.database()))
        examples, steps = run(stores, examples=asked.examples, seed_=chosen, steps=asked.steps)
    took = time.monotonic() - began
    outcomes = sys.modules["swath_tests_rules"].Base.outcomes
    print(", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items())))
    print(f"{examples} examples, {steps} steps on {asked.database}, seed {chosen}: no difference ({took:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
