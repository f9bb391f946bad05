"""The log of receipts, tampered with by somebody who owns the database: every change is found, with its entry."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from swath.contract.envelopes import Envelope, Reason, Untrusted
from swath.contract.receipts import Bundle, check_output
from swath.contract.signing_keys import KeySet
from swath.signatures import verify
from swath_marketplace import audit as command
from swath_marketplace.executors.fake import finishing
from swath_marketplace.receipt_testing import believe, bundle_of, finish, keys_of
from swath_marketplace.services.receipt_audit import Audit, Harm, audit
from swath_marketplace.store.database import Database
from swath_marketplace.store.receipts import ReceiptStore
from swath_marketplace.store.signing_keys import KeyChainStore
from swath_marketplace.testing import World, operator

#: Table -> its columns, the first ones its key. Everything that these tables hold, to the last byte.
CELLS = {
    "installation": ("number", "origin"),
    "signing_key_events": ("sequence", "envelope"),
    "receipts": ("log_index", "run_id", "sequence", "key_id", "envelope", "leaf_sha256"),
    "receipt_outputs": ("sha256", "log_index", "name"),
    "receipt_nodes": ("level", "position", "sha256"),
    "receipt_checkpoints": ("size", "envelope"),
}
KEYS = {"receipt_outputs": 3, "receipt_nodes": 2}


def audited(world: World, *kept: Envelope) -> Audit:
    database = world.made.database
    return audit(ReceiptStore(database), KeyChainStore(database), kept=kept)


@pytest.fixture
def log(world: World) -> World:
    """A log of eleven entries, with a key that was rotated and one that was revoked."""
    for number in range(4):
        world.fake.script = finishing(outputs={"double": b"%d" % number})
        finish(world, number)
    keys = world.made.context.trust.keys
    first = keys.current().active.id
    keys.rotate(operator(), reason="a year is over")
    finish(world, 5)
    keys.revoke(operator(), first, reason="its file was copied")
    assert world.made.context.trust.issuer.sweep() == 4
    for number in (6, 7):
        finish(world, number)
    assert audited(world).ok
    return world


@contextmanager
def owning(database: Database) -> Iterator[sa.Connection]:
    """A transaction of somebody whom no trigger and no reference stops; undone at its end."""
    with database._engine.connect() as connection:
        begun = connection.begin()
        _disarm(connection)
        yield connection
        begun.rollback()


def _disarm(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for table in CELLS:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{verb}")


class _Inside(Database):
    """The database as it looks from inside one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        yield self._connection


def inside(connection: sa.Connection) -> Audit:
    database = _Inside(connection)
    return audit(ReceiptStore(database), KeyChainStore(database))


def run_sql(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


# What is done by hand


def test_an_edited_entry_is_named(log: World) -> None:
    with owning(log.made.database) as connection:
        run_sql(
            connection,
            "UPDATE receipts SET envelope = (SELECT envelope FROM receipts WHERE log_index = 3) WHERE log_index = 2",
        )
        found = inside(connection)
    assert {(fault.harm, fault.entry) for fault in found.faults} == {(Harm.EDITED, 2)}
    assert audited(log).ok, "undone"


def test_who_changes_all_three_witnesses_still_cannot_sign(log: World) -> None:
    """Entry 2 becomes a copy of entry 3 in the log, in its leaf hash and in the whole tree."""
    from swath.contract import merkle

    store = ReceiptStore(log.made.database)
    leaves = [bytes.fromhex(entry.leaf_sha256) for entry in store.entries()]
    leaves[2] = leaves[3]
    nodes: dict[merkle.Place, bytes] = {}
    for size, leaf in enumerate(leaves):
        nodes.update(merkle.completed(size, leaf, nodes.__getitem__))
    with owning(log.made.database) as connection:
        same = "(SELECT {0} FROM receipts WHERE log_index = 3)"
        run_sql(
            connection,
            f"UPDATE receipts SET envelope = {same.format('envelope')}, leaf_sha256 = {same.format('leaf_sha256')} "
            "WHERE log_index = 2",
        )
        for place, value in nodes.items():
            run_sql(
                connection,
                f"UPDATE receipt_nodes SET sha256 = '{value.hex()}' WHERE level = {place.level} "
                f"AND position = {place.position}",
            )
        found = inside(connection)
    assert {fault.entry for fault in found.faults} == set(range(2, 11)), "its checkpoint, and each one after"
    assert {fault.harm for fault in found.faults} == {Harm.EDITED}


@pytest.mark.parametrize("entry", [0, 4, 10])
def test_a_deleted_entry_is_named(log: World, entry: int) -> None:
    with owning(log.made.database) as connection:
        run_sql(
            connection,
            f"DELETE FROM receipt_outputs WHERE log_index = {entry}",
            f"DELETE FROM receipts WHERE log_index = {entry}",
        )
        found = inside(connection)
    harm = Harm.TRUNCATED if entry == 10 else Harm.DELETED
    assert (harm, entry) in {(fault.harm, fault.entry) for fault in found.faults}


def test_a_truncated_log_is_told_from_its_checkpoints(log: World) -> None:
    with owning(log.made.database) as connection:
        for table in ("receipt_outputs", "receipts"):
            run_sql(connection, f"DELETE FROM {table} WHERE log_index >= 7")
        found = inside(connection)
    assert {fault.harm for fault in found.faults} == {Harm.TRUNCATED}
    assert any("the rest was cut off" in fault.message for fault in found.faults)
    assert found.size == 7


def test_a_log_cut_off_with_everything_is_told_from_a_checkpoint_kept_elsewhere(log: World) -> None:
    store = ReceiptStore(log.made.database)
    kept = Envelope.from_bytes(store.checkpoints()[-1].envelope.encode())
    with owning(log.made.database) as connection:
        for table in ("receipt_outputs", "receipts"):
            run_sql(connection, f"DELETE FROM {table} WHERE log_index >= 8")
        run_sql(
            connection,
            "DELETE FROM receipt_checkpoints WHERE size > 8",
            "DELETE FROM receipt_nodes WHERE (level = 0 AND position >= 8) OR (level = 1 AND position >= 4)",
        )
        database = _Inside(connection)
        assert audit(ReceiptStore(database), KeyChainStore(database)).ok, "from within there is nothing to see"
        found = audit(ReceiptStore(database), KeyChainStore(database), kept=[kept])
    assert [(fault.harm, fault.entry) for fault in found.faults] == [(Harm.TRUNCATED, 8)]


def test_checkpoints_that_are_deleted_are_missed(log: World) -> None:
    with owning(log.made.database) as connection:
        run_sql(connection, "DELETE FROM receipt_checkpoints WHERE size = 5")
        found = inside(connection)
    assert [(fault.harm, fault.entry) for fault in found.faults] == [(Harm.DELETED, 4)]


def test_nothing_is_added_to_a_log_that_was_tampered_with(log: World) -> None:
    with log.made.database.write() as connection:
        _disarm(connection)
        run_sql(
            connection, "DELETE FROM receipt_checkpoints WHERE size = 11", "DELETE FROM receipt_nodes WHERE level = 3"
        )
    run = finish(log, 9)
    assert run.status.value == "finished"
    assert log.made.context.trust.receipts.of(run.id) is None
    assert not audited(log).ok


def test_the_command(
    log: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWATH_DATA", str(log.settings.data))
    monkeypatch.setenv("SWATH_MARKETPLACE_DATABASE_URL", log.settings.url())
    kept = tmp_path / "checkpoint.json"
    kept.write_text(ReceiptStore(log.made.database).checkpoints()[-1].envelope)
    assert command.main(["--checkpoint", str(kept)]) == 0
    assert "11 entries" in capsys.readouterr().out
    with log.made.database.write() as connection:
        _disarm(connection)
        run_sql(connection, "UPDATE receipts SET key_id = run_id WHERE log_index = 5")
    assert command.main(["--json"]) == 1
    assert '"entry": 5' in capsys.readouterr().out
    kept.write_text("{}")
    with pytest.raises(SystemExit):
        command.main(["--checkpoint", str(kept)])


# A thousand bytes


def other(rng: random.Random, byte: int) -> int:
    return rng.choice([value for value in range(256) if value != byte])


def mutated(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([other(rng, data[at])]) + data[at + 1 :]


def test_a_thousand_single_byte_mutations_are_refused_each_with_its_reason(world: World) -> None:
    """400 of receipts, 250 of outputs, 250 of the stored log, 100 of published keys; seeded, none accepted."""
    rng = random.Random(20260101)
    runs = []
    for number in range(6):
        world.fake.script = finishing(outputs={"double": rng.randbytes(3000)})
        runs.append(finish(world, number))
    world.made.context.trust.keys.rotate(operator(), reason="a year is over")
    runs.append(finish(world, 7))
    keys, reasons = keys_of(world), Counter[str]()
    bundles = [bundle_of(world, run) for run in runs]
    for bundle in bundles:
        believe(bundle, keys)

    for _ in range(400):
        with pytest.raises(Untrusted) as refused:
            believe(mutated(rng, rng.choice(bundles)), keys)
        assert len(str(refused.value)) > 10
        reasons[f"receipt: {refused.value.reason.value}"] += 1

    folders = world.made.folders
    for _ in range(250):
        run, bundle = rng.choice(list(zip(runs, bundles, strict=True)))
        content = folders.of(run.id).result("double").read_bytes()
        changed = mutated(rng, content)
        from swath.contract.digest import sha256_bytes

        statement = Bundle.from_bytes(bundle).statement
        assert check_output(statement, sha256_bytes(content)).name == "double"
        with pytest.raises(Untrusted) as refused:
            check_output(statement, sha256_bytes(changed))
        reasons[f"output: {refused.value.reason.value}"] += 1

    published = keys.as_bytes()
    for _ in range(100):
        with pytest.raises(Untrusted) as refused:
            KeySet.from_bytes(mutated(rng, published), verify).require_after(keys)
        reasons[f"keys: {refused.value.reason.value}"] += 1

    for _ in range(250):
        for fault in mutate_a_cell(world, rng):
            assert len(fault.message) > 10
            reasons[f"log: {fault.harm.value}"] += 1
    assert audited(world).ok
    assert reasons[f"output: {Reason.OUTPUT_CHANGED.value}"] == 250
    assert {reason.partition(":")[0] for reason in reasons} == {"receipt", "output", "keys", "log"}
    print(dict(sorted(reasons.items())))


def mutate_a_cell(world: World, rng: random.Random) -> list[Any]:
    """Change one byte of the log's tables, audit, undo; what the audit found, which is never nothing."""
    database = world.made.database
    with database.read() as connection:
        cells = [
            (table, columns, row, column)
            for table, columns in CELLS.items()
            for row in connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}").all()
            for column in range(len(columns))
            if columns[column] != "number"
        ]
    weights = [len(str(row[column])) for _, _, row, column in cells]
    while True:
        table, columns, row, column = rng.choices(cells, weights)[0]
        value = row[column]
        at = rng.randrange(len(str(value)))
        letters = "0123456789" if isinstance(value, int) else "".join(map(chr, range(32, 127)))
        letter = rng.choice([one for one in letters if one != str(value)[at]])
        changed = type(value)(str(value)[:at] + letter + str(value)[at + 1 :])
        where = " AND ".join(f"{name} = :k{number}" for number, name in enumerate(columns[: KEYS.get(table, 1)]))
        keys = {f"k{number}": row[number] for number in range(KEYS.get(table, 1))}
        with owning(database) as connection:
            try:
                connection.execute(
                    sa.text(f"UPDATE {table} SET {columns[column]} = :value WHERE {where}"), {**keys, "value": changed}
                )
            except sa.exc.IntegrityError:
                # The database itself refuses it: a number that is taken, say. Not one of the thousand.
                continue
            found = inside(connection)
        assert not found.ok, f"{table}.{columns[column]}: {value!r} became {changed!r}"
        return list(found.faults[:1])
