"""Signing keys: the public chain in SQL, each private key in a file that its owner alone may read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from swath.contract.envelopes import Envelope, Reason, Untrusted

from swath_marketplace.store.database import Database
from swath_marketplace.store.receipt_tables import installation, key_events

#: Any number that nobody else uses: PostgreSQL's name for "one process appends to the log, or to the keys, at a time".
RECEIPTS_LOCK = 7_201_116
_KEY_ID = re.compile(r"[0-9a-f]{64}")


class KeyUnfit(RuntimeError):
    """A private key is not there, cannot be read, is no key, or others may read it."""


class KeyChainStore:
    """The installation's name and its key events. Promises: only ever added to; of two who add at once one fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> tuple[str, Sequence[Envelope]] | None:
        """The installation and its events, the first one first; ``None`` before there is a key."""
        with self._database.read() as connection:
            return _read(connection)

    def count(self) -> int:
        """How many events there are."""
        with self._database.read() as connection:
            found: int = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(key_events.c.sequence), 0))
            ).scalar_one()
        return found

    def extend(
        self,
        decide: Callable[[str | None, Sequence[Envelope]], tuple[str, Sequence[Envelope]]],
    ) -> tuple[str, Sequence[Envelope]]:
        """Add the events that `decide` makes of those that are there, nobody else adding meanwhile; all or none."""
        with self._database.write() as connection:
            self._database.lock(connection, RECEIPTS_LOCK)
            known = _read(connection)
            origin, events = known or (None, ())
            named, more = decide(origin, events)
            if known is None:
                connection.execute(installation.insert().values(number=1, origin=named))
            for sequence, envelope in enumerate(more, start=len(events) + 1):
                connection.execute(key_events.insert().values(sequence=sequence, envelope=envelope.as_bytes().decode()))
        return named, (*events, *more)


def _read(connection: sa.Connection) -> tuple[str, Sequence[Envelope]] | None:
    origin = connection.execute(sa.select(installation.c.origin)).scalar_one_or_none()
    if origin is None:
        return None
    rows = connection.execute(sa.select(key_events).order_by(key_events.c.sequence)).all()
    if [row.sequence for row in rows] != list(range(1, len(rows) + 1)):
        raise Untrusted(Reason.MALFORMED, "keys: an event is missing, or filed under another number")
    return origin, [Envelope.from_bytes(row.envelope.encode(), "key event") for row in rows]


class KeyFiles:
    """Private keys as PEM files (PKCS #8), named by their ids.

    Parameters
    ----------
    folder
        Made with mode 0700; a file that group or others may read is not used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key_id: str, pem: bytes) -> None:
        """Keep a private key: on disk, whole, with mode 0600, or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(key_id)
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        self._sync()

    def get(self, key_id: str) -> bytes:
        """A private key.

        Raises
        ------
        KeyUnfit
            Saying what is wrong with the file, and nothing of what is in it.
        """
        path = self._path(key_id)
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if not stat.S_ISREG(mode) or mode & 0o077:
                    raise KeyUnfit(
                        f"others may read the private key {key_id[:16]}: revoke it, or chmod 600 its file if nobody did"
                    )
                return file.read(1 << 16)
        except OSError as error:
            raise KeyUnfit(f"the private key {key_id[:16]} cannot be read: {error.strerror}") from error

    def discard(self, key_id: str) -> None:
        """Delete a private key that signs no more; a no-op when it is gone."""
        with suppress(FileNotFoundError):
            self._path(key_id).unlink()
            self._sync()

    def _path(self, key_id: str) -> Path:
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError("a key's id is 64 hexadecimal digits")
        return self._folder / f"{key_id}.pem"

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
