"""What reports add to the ledger's tables: a way to find the holds of a wallet that ended, newest first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from swath_quota.store.tables import HoldRow

_HOLDS: Any = HoldRow.__table__  # type: ignore[attr-defined]

#: Without the holds that are open, so that placing one costs nothing more.
HOLDS_SETTLED = Index(
    "holds_settled",
    _HOLDS.c.account_id,
    _HOLDS.c.resolved_at,
    _HOLDS.c.id,
    sqlite_where=text("resolved_at IS NOT NULL"),
    postgresql_where=text("resolved_at IS NOT NULL"),
)
