"""Where the ledger is kept."""

from __future__ import annotations

from sqlalchemy import Engine
from swath_service.database import WRITES, DatabaseUnfit
from swath_service.database import connect as _connect

__all__ = ["WRITES", "DatabaseUnfit", "connect"]


def connect(url: str, *, create: bool = True) -> Engine:
    """An engine for ``sqlite:////path`` or ``postgresql+psycopg://…``; a new SQLite file belongs to its owner alone.

    Parameters
    ----------
    create
        Whether a SQLite file that is not there may be made.

    Raises
    ------
    DatabaseUnfit
    """
    # Durable: a ledger that forgets a capture is worse than a slow one. Writing: whoever reads a balance acts on it.
    return _connect(url, keeps="ledger", create=create, durable=True, writes=True)
