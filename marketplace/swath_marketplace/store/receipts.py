"""Receipts in SQL, each an entry of one append-only log whose Merkle tree is kept beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from swath.contract import merkle
from swath.contract.envelopes import Envelope

from swath_marketplace.domain.receipts import Draft, Receipt
from swath_marketplace.domain.runs import RunStatus, Stage
from swath_marketplace.store.database import Database
from swath_marketplace.store.receipt_tables import checkpoints, key_events, nodes, outputs, receipts
from swath_marketplace.store.signing_keys import RECEIPTS_LOCK
from swath_marketplace.store.tables import runs

T = TypeVar("T")
#: Signs a checkpoint over size and root; it is given the former one, where there is one.
SignCheckpoint = Callable[[int, bytes, Envelope | None], Envelope]
_FEW = 400


class KeysMoved(Exception):
    """The keys changed since a draft was signed: sign it again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCheckpoint:
    """A signed checkpoint as it is kept."""

    size: int
    envelope: str
    """Canonical JSON, as far as nobody changed it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """A row of the log as it is kept, believed in nothing: what an audit reads."""

    log_index: int
    run_id: str
    sequence: int
    key_id: str
    envelope: str
    leaf_sha256: str


class ReceiptStore:
    """The log.

    Promises
    --------
    - An entry is appended with its tree nodes and a signed checkpoint in one transaction, or not at all.
    - A run has at most one receipt of each sequence; who appends a second one is given the first.
    - Nothing is ever changed or deleted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, draft: Draft, *, sign: SignCheckpoint) -> tuple[Receipt, bool]:
        """Put a signed receipt into the log; answers the one that is there, and whether it is new.

        Raises
        ------
        KeysMoved
        """
        content = draft.envelope.as_bytes()
        with self._database.write() as connection:
            self._database.lock(connection, RECEIPTS_LOCK)
            now = _tip(connection, draft)
            if now.known is not None:
                known = connection.execute(sa.select(receipts).where(receipts.c.log_index == now.known)).one()
                return _receipt(known), False
            if now.key_events != draft.key_events:
                raise KeysMoved
            leaf = merkle.leaf_hash(content)
            made = Receipt(
                run_id=draft.run_id,
                sequence=draft.sequence,
                log_index=now.size,
                key_id=draft.envelope.keyid,
                envelope=draft.envelope,
                leaf_sha256=leaf.hex(),
            )
            _insert(connection, made, draft, content=content)
            root = _grow(connection, now.size, leaf)
            # A former one that was tampered with raises: nothing is added to a log that cannot be trusted.
            former = Envelope.from_bytes(now.checkpoint.encode(), "checkpoint") if now.checkpoint else None
            sealed = sign(now.size + 1, root, former)
            connection.execute(checkpoints.insert().values(size=now.size + 1, envelope=sealed.as_bytes().decode()))
        return made, True

    def of(self, run_id: str) -> Receipt | None:
        """The receipt of a run that counts."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(receipts).where(receipts.c.run_id == run_id).order_by(receipts.c.sequence.desc()).limit(1)
            ).one_or_none()
        return None if row is None else _receipt(row)

    def with_output(self, sha256: str, *, caller: str | None, limit: int = 100) -> Sequence[Receipt]:
        """Receipts that count and have an output of that hash, the newest first; of everybody when `caller` is None."""
        later = receipts.alias()
        superseded = sa.exists().where(later.c.run_id == receipts.c.run_id, later.c.sequence > receipts.c.sequence)
        mine = [] if caller is None else [runs.c.caller == caller]
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(receipts)
                .join(runs, runs.c.id == receipts.c.run_id)
                .where(
                    receipts.c.log_index.in_(sa.select(outputs.c.log_index).where(outputs.c.sha256 == sha256)),
                    ~superseded,
                    *mine,
                )
                .order_by(receipts.c.log_index.desc())
                .limit(limit)
            ).all()
        return [_receipt(row) for row in rows]

    def owed(self, *, revoked: Sequence[str] = (), limit: int = 50) -> Sequence[tuple[str, int]]:
        """Finished runs that have no receipt, or none but with a revoked key, and the sequence it is to have.

        Those that ended first come first.
        """
        finished = sa.and_(runs.c.stage == Stage.TERMINAL.value, runs.c.outcome == RunStatus.FINISHED.value)
        last = (
            sa.select(receipts.c.run_id, sa.func.max(receipts.c.sequence).label("sequence"))
            .group_by(receipts.c.run_id)
            .subquery()
        )
        has = sa.exists().where(receipts.c.run_id == runs.c.id)
        missing = sa.select(runs.c.id).where(finished, ~has).order_by(runs.c.ended_at).limit(limit)
        stale = (
            sa.select(receipts.c.run_id, receipts.c.sequence)
            .join(last, sa.and_(last.c.run_id == receipts.c.run_id, last.c.sequence == receipts.c.sequence))
            .where(receipts.c.key_id.in_(revoked))
            .order_by(receipts.c.log_index)
            .limit(limit)
        )
        with self._database.read() as connection:
            found = [(run_id, 1) for run_id in connection.execute(missing).scalars()]
            if revoked and len(found) < limit:
                found += [(row.run_id, row.sequence + 1) for row in connection.execute(stale)]
        return found[:limit]

    def size(self) -> int:
        """How many entries the log has."""
        with self._database.read() as connection:
            return _size(connection)

    def leaves(self, *, start: int, end: int) -> Sequence[tuple[int, str]]:
        """Index and leaf hash of the entries from `start` up to and without `end`."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(receipts.c.log_index, receipts.c.leaf_sha256)
                .where(receipts.c.log_index >= start, receipts.c.log_index < end)
                .order_by(receipts.c.log_index)
            )
            return [(row.log_index, row.leaf_sha256) for row in rows]

    def index_of(self, leaf_sha256: str) -> int | None:
        """Where an entry of that leaf hash stands."""
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(receipts.c.log_index)
                .where(receipts.c.leaf_sha256 == leaf_sha256)
                .order_by(receipts.c.log_index)
                .limit(1)
            )
            return found.scalar_one_or_none()

    def checkpoint(self) -> StoredCheckpoint | None:
        """The latest one."""
        with self._database.read() as connection:
            return _latest(connection)

    def proofs(self, work: Callable[[merkle.Hashes], T]) -> T:
        """What `work` makes of the tree's hashes, all of which are read at once.

        Raises
        ------
        KeyError
            A hash is missing: the tree was tampered with.
        """
        places = merkle.wanted(work)
        with self._database.read() as connection:
            found = _hashes(connection, places)
        return work(found.__getitem__)

    def entries(self, *, batch: int = 500) -> Iterator[StoredEntry]:
        """Every row of the log in order, as it stands there."""
        after = -1
        columns = [receipts.c[name] for name in StoredEntry.__dataclass_fields__]
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    sa.select(*columns).where(receipts.c.log_index > after).order_by(receipts.c.log_index).limit(batch)
                ).all()
            if not rows:
                return
            yield from (StoredEntry(**row._mapping) for row in rows)
            after = rows[-1].log_index

    def outputs(self) -> dict[int, set[tuple[str, str]]]:
        """Log index -> names and hashes of the outputs by which it is found."""
        found: dict[int, set[tuple[str, str]]] = {}
        with self._database.read() as connection:
            for row in connection.execute(sa.select(outputs)):
                found.setdefault(row.log_index, set()).add((row.name, row.sha256))
        return found

    def checkpoints(self) -> Sequence[StoredCheckpoint]:
        """Every checkpoint, the smallest first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size)).all()
        return [StoredCheckpoint(**row._mapping) for row in rows]

    def nodes(self) -> dict[merkle.Place, str]:
        """The whole tree as it stands there."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(nodes)).all()
        return {merkle.Place(row.level, row.position): row.sha256 for row in rows}


class _Tip(NamedTuple):
    """How things stand before an entry is added."""

    known: int | None
    """Where the very receipt stands already."""
    key_events: int
    size: int
    checkpoint: str | None


def _tip(connection: sa.Connection, draft: Draft) -> _Tip:
    mine = (receipts.c.run_id == draft.run_id, receipts.c.sequence == draft.sequence)
    latest = sa.select(checkpoints.c.envelope).order_by(checkpoints.c.size.desc()).limit(1)
    # In one question: on another machine's database each is a way there and back.
    row = connection.execute(
        sa.select(
            sa.select(receipts.c.log_index).where(*mine).scalar_subquery(),
            sa.select(sa.func.coalesce(sa.func.max(key_events.c.sequence), 0)).scalar_subquery(),
            sa.select(sa.func.coalesce(sa.func.max(receipts.c.log_index) + 1, 0)).scalar_subquery(),
            latest.scalar_subquery(),
        )
    ).one()
    return _Tip(*row)


def _insert(connection: sa.Connection, made: Receipt, draft: Draft, *, content: bytes) -> None:
    connection.execute(
        receipts.insert().values(
            log_index=made.log_index,
            run_id=made.run_id,
            sequence=made.sequence,
            key_id=made.key_id,
            envelope=content.decode(),
            leaf_sha256=made.leaf_sha256,
        )
    )
    found = [{"sha256": one.sha256, "log_index": made.log_index, "name": one.name} for one in draft.outputs]
    if found:
        connection.execute(outputs.insert(), found)


def _grow(connection: sa.Connection, size: int, leaf: bytes) -> bytes:
    """Add a leaf to the tree of `size` leaves; answers the new root."""
    added = {place for place, _ in merkle.completed(size, leaf, lambda _: bytes(32))}
    places = merkle.wanted(lambda hashes: (merkle.completed(size, leaf, hashes), merkle.root(size + 1, hashes)))
    known = _hashes(connection, places - added)
    made = merkle.completed(size, leaf, known.__getitem__)
    connection.execute(
        nodes.insert(),
        [{"level": place.level, "position": place.position, "sha256": value.hex()} for place, value in made],
    )
    known.update(made)
    return merkle.root(size + 1, known.__getitem__)


def _size(connection: sa.Connection) -> int:
    found: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(receipts.c.log_index) + 1, 0))).scalar_one()
    return found


def _latest(connection: sa.Connection) -> StoredCheckpoint | None:
    row = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else StoredCheckpoint(**row._mapping)


def _hashes(connection: sa.Connection, places: set[merkle.Place]) -> dict[merkle.Place, bytes]:
    found: dict[merkle.Place, bytes] = {}
    wanted = sorted(places)
    for start in range(0, len(wanted), _FEW):
        some = sa.tuple_(nodes.c.level, nodes.c.position).in_(wanted[start : start + _FEW])
        for row in connection.execute(sa.select(nodes).where(some)):
            found[merkle.Place(row.level, row.position)] = bytes.fromhex(row.sha256)
    return found


def _receipt(row: sa.Row[Any]) -> Receipt:
    return Receipt(
        run_id=row.run_id,
        sequence=row.sequence,
        log_index=row.log_index,
        key_id=row.key_id,
        envelope=Envelope.from_bytes(row.envelope.encode(), "receipt"),
        leaf_sha256=row.leaf_sha256,
    )
