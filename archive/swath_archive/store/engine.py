"""Where the index is kept."""

from __future__ import annotations

from sqlalchemy import Engine
from swath_service.database import WRITES, DatabaseUnfit
from swath_service.database import connect as _connect

__all__ = ["WRITES", "DatabaseUnfit", "connect"]


def connect(url: str) -> Engine:
    """An engine for ``sqlite:////path`` or ``postgresql+psycopg://…``.

    Raises
    ------
    DatabaseUnfit
    """
    # Not durable: what a power cut takes away is made again from the catalogue.
    return _connect(url, keeps="index", durable=False)
