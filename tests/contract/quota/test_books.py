"""What every store promises, and what the databases refuse even to code that forgot the rules."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from swath_quota.audit import audit_database, main
from swath_quota.client import FakeQuotaClient, Hold, Purpose, PurposeKind
from swath_quota.domain.accounts import AccountKind, new_account, wallet_id
from swath_quota.domain.ports import Books, Unit
from swath_quota.store.engine import DatabaseUnfit, connect
from swath_quota.store.migrate import VERSION_TABLE, check_schema, config, head, migrate
from swath_quota.store.sql import SqlBooks
from swath_quota.store.tables import metadata

AT = datetime(2026, 5, 20, 12, 30, 15, 123456, tzinfo=UTC)
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="r")
Opener = Callable[[str], AbstractContextManager[SqlBooks]]


def spend(books: Books) -> FakeQuotaClient:
    """Books with something of everything in them."""
    client = FakeQuotaClient(books=books)
    for hold_id in ("captured", "open"):
        client.hold(hold_id=hold_id, account="ada", amount=100, purpose=PURPOSE, expires_in_seconds=60)
    client.capture("captured", amount=60, usage={"cpu_seconds": 0.5})
    return client


# Every store


def test_times_come_back_as_they_went_in(books: Books) -> None:
    account = replace(new_account(AccountKind.USER, "ada", at=AT, tier="general"), refresh_at=AT + timedelta(days=1))
    books.run(lambda unit: unit.open_accounts([account]))
    assert books.read(lambda reader: reader.account(wallet_id("ada"))) == account


def test_opening_leaves_what_is_there(books: Books) -> None:
    first = new_account(AccountKind.USER, "ada", at=AT, tier="general")
    books.run(lambda unit: unit.open_accounts([first]))
    books.run(lambda unit: unit.open_accounts([replace(first, tier="services", created_at=AT + timedelta(1))]))
    assert books.read(lambda reader: list(reader.all_accounts())) == [first]


def test_work_that_fails_leaves_nothing(books: Books) -> None:
    def half(unit: Unit) -> None:
        unit.open_accounts([new_account(AccountKind.USER, "ada", at=AT, tier="general")])
        raise LookupError("half-way")

    with pytest.raises(LookupError):
        books.run(half)
    assert books.read(lambda reader: reader.account(wallet_id("ada"))) is None


def test_the_same_hold_is_not_stored_twice(books: Books) -> None:
    spend(books)
    found = books.read(lambda reader: reader.hold("open"))
    assert isinstance(found, Hold)
    with pytest.raises(Exception, match=r"open is stored|UniqueViolation|UNIQUE"):
        books.run(lambda unit: unit.add_hold(found))
    assert books.read(lambda reader: len(list(reader.all_holds()))) == 2


def test_overdue_holds_come_the_longest_overdue_first(books: Books) -> None:
    clock = [AT]
    client = FakeQuotaClient(books=books, clock=lambda: clock[0])
    for number, (account, seconds) in enumerate([("ada", 30), ("bea", 10), ("ada", 20), ("ada", 90)]):
        client.hold(hold_id=f"h{number}", account=account, amount=1, purpose=PURPOSE, expires_in_seconds=seconds)
    now = AT + timedelta(seconds=30)
    of_all = books.read(lambda reader: reader.overdue(now, limit=10))
    assert [hold.id for hold in of_all] == ["h1", "h2", "h0"]
    assert [hold.id for hold in books.read(lambda reader: reader.overdue(now, limit=1))] == ["h1"]
    assert [hold.id for hold in books.read(lambda reader: reader.overdue(now, limit=9, account="ada"))] == ["h2", "h0"]


# Databases


@pytest.fixture
def sql(database_url: str, open_books: Opener) -> Iterator[SqlBooks]:
    with open_books(database_url) as books:
        yield books


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET held = -1 WHERE id = 'user:ada'",
        "UPDATE accounts SET held = balance + 1 WHERE id = 'user:ada'",
        "UPDATE accounts SET balance = 1 WHERE id = 'user:ada'",
        "UPDATE accounts SET kind = 'author' WHERE id = 'user:ada'",
        "UPDATE accounts SET tier = NULL WHERE id = 'user:ada'",
        "DELETE FROM accounts WHERE id LIKE 'platform:swath%'",
        "UPDATE entries SET amount = 1, current_balance = previous_balance + 1",
        "UPDATE entries SET transaction_id = transaction_id",
        "DELETE FROM entries",
        "UPDATE transactions SET description = 'another'",
        "DELETE FROM transactions",
        "UPDATE draws SET amount = 1",
        "DELETE FROM draws",
        "UPDATE holds SET captured = 101 WHERE id = 'open'",
        "UPDATE holds SET captured = 1 WHERE id = 'open'",
        "UPDATE holds SET status = 'released' WHERE id = 'open'",
        "UPDATE holds SET amount = 1 WHERE id = 'open'",
        "UPDATE holds SET account_id = 'issuer:swath' WHERE id = 'open'",
        "UPDATE holds SET status = 'held', captured = 0, resolved_at = NULL WHERE id = 'captured'",
        "UPDATE holds SET captured = 61 WHERE id = 'captured'",
        "DELETE FROM holds",
        "UPDATE grants SET remaining = amount",
        "UPDATE grants SET remaining = -1",
        "UPDATE grants SET amount = amount + 1",
        "DELETE FROM grants",
        "INSERT INTO draws (transaction_id, grant_id, amount) VALUES ('capture:nothing', 'none', 1)",
        "INSERT INTO entries SELECT account_id, sequence + 9, transaction_id, direction, amount, previous_balance,"
        " current_balance, previous_hash, hash FROM entries WHERE transaction_id = 'capture:captured'",
        "INSERT INTO entries SELECT account_id, sequence + 9, 'grant:other', direction, amount, previous_balance,"
        " current_balance, previous_hash, hash FROM entries WHERE transaction_id = 'capture:captured'",
    ],
)
def test_the_database_refuses(sql: SqlBooks, statement: str) -> None:
    client = spend(sql)
    before = client.statement("ada"), client.get_hold("open"), client.get_hold("captured"), client.wallet("ada")
    with pytest.raises(IntegrityError), sql.engine.begin() as connection:
        connection.execute(text(statement))
    assert (
        client.statement("ada"),
        client.get_hold("open"),
        client.get_hold("captured"),
        client.wallet("ada"),
    ) == before
    assert client.audit().ok


def test_postgresql_refuses_to_truncate(postgres_database: str, open_books: Opener) -> None:
    with open_books(postgres_database) as books:
        client = spend(books)
        with pytest.raises(IntegrityError), books.engine.begin() as connection:
            connection.execute(text("TRUNCATE accounts CASCADE"))
        assert client.audit().totals.entries == 4


def test_the_control_what_the_database_lets_pass(sql: SqlBooks) -> None:
    spend(sql)
    with sql.engine.begin() as connection:
        done = connection.execute(text("UPDATE accounts SET held = held + 1 WHERE id = 'user:ada'"))
        assert done.rowcount == 1
        done = connection.execute(text("UPDATE holds SET reason = 'why not' WHERE id = 'open'"))
        assert done.rowcount == 1


def test_migrations_make_what_the_tables_say(sql: SqlBooks) -> None:
    with sql.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _, name, kind, *__: (kind, name) != ("table", VERSION_TABLE),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database_url: str, open_books: Opener) -> None:
    with open_books(database_url) as books:
        wallet = spend(books).wallet("ada")
    with open_books(database_url) as books:
        assert FakeQuotaClient(books=books).wallet("ada") == wallet
        check_schema(books.engine)


MIGRATE = """
import sys
from swath_quota.store.engine import connect
from swath_quota.store.migrate import migrate
sys.stdin.readline()
migrate(connect(sys.argv[1]))
"""


def test_services_that_start_at_once_migrate_once(database_url: str) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, database_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdin
        start.stdin.write("go\n")
        start.stdin.flush()
    told = [start.communicate(timeout=60)[1] for start in starts]
    assert [start.returncode for start in starts] == [0] * 4, told
    engine = connect(database_url)
    check_schema(engine)
    engine.dispose()


def test_a_database_of_a_newer_swath_is_left_alone(sql: SqlBooks, database_url: str) -> None:
    with sql.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseUnfit, match="another version"):
        migrate(sql.engine)
    with pytest.raises(DatabaseUnfit, match="9999"):
        audit_database(database_url)


SPEND = """
import sys
from swath_quota.client import FakeQuotaClient, Hold, Purpose, PurposeKind
from swath_quota.store.engine import connect
from swath_quota.store.sql import SqlBooks
client = FakeQuotaClient(books=SqlBooks(connect(sys.argv[1])))
mine, purpose = sys.argv[2], Purpose(kind=PurposeKind.RUN, reference="r")
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    account = f"user-{number % 5}"
    # Half of the ids are every process's: whoever comes first, there is one such hold.
    hold_id = f"shared-{number}" if number % 2 else f"{mine}-{number}"
    hold = client.hold(hold_id=hold_id, account=account, amount=1000, purpose=purpose, expires_in_seconds=60)
    assert isinstance(hold, Hold), hold
    client.capture(hold_id, amount=600, usage={})
"""


def test_processes_share_a_ledger(sql: SqlBooks, database_url: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", SPEND, database_url, f"p{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n", worker.stderr and worker.stderr.read()
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told
    client = FakeQuotaClient(books=sql)
    own, shared = 13 * 4, 12
    spent = sum(10_000_000 - client.wallet(f"user-{number}").balance for number in range(5))
    assert spent == (own + shared) * 600
    report = client.audit()
    assert report.ok, report.breaches
    assert report.totals.holds == own + shared


def test_an_audit_of_broken_books_says_so_and_ends_with_1(
    sql: SqlBooks, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spend(sql)
    assert main(["--database", database_url]) == 0
    assert "every invariant holds" in capsys.readouterr().out
    with sql.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET held = held + 1 WHERE id = 'user:ada'"))
    assert main(["--database", database_url]) == 1
    assert "BROKEN held-is-open-holds user:ada: 101 held; the open holds sum to 100" in capsys.readouterr().out
    assert main(["--database", database_url, "--json"]) == 1


def test_an_audit_makes_no_ledger(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--database", f"sqlite:///{tmp_path / 'none.sqlite'}"]) == 2
    assert list(tmp_path.glob("none*")) == []
    assert main(["--database", database_url]) == 2
    assert "cannot be read" in capsys.readouterr().err


# SQLite's file, and what is no place for a ledger


def test_a_new_file_is_its_owners_alone(tmp_path: Path, open_books: Opener) -> None:
    path = tmp_path / "new" / "quota.sqlite"
    with open_books(f"sqlite:///{path}") as books:
        spend(books)
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    assert modes == dict.fromkeys(("quota.sqlite", "quota.sqlite-wal", "quota.sqlite-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://ada:hunter2@db/quota", "postgresql://x/y", "ada:hunter2"]
)
def test_other_places_are_refused_without_telling_the_address(url: str) -> None:
    with pytest.raises(DatabaseUnfit) as caught:
        connect(url)
    assert "hunter2" not in str(caught.value)


def test_there_is_one_newest_revision() -> None:
    assert head() == "value"
    assert ScriptDirectory.from_config(config()).get_heads() == [head()]
