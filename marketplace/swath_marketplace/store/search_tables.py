"""Tables of the search index: all of it can be made anew from the other tables.

Beside them stands ``search_words``, which holds each entry's words: an FTS5 table on SQLite, on PostgreSQL a table of
tsvectors with GIN (`store.search_text`). Triggers of the migration note in ``search_changes`` whatever an entry follows
from, in the transaction that changes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.searching import EntryKind
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of

_KIND = f"kind IN ({', '.join(repr(kind.value) for kind in EntryKind)})"


class EntryRow(Base, table=True):
    """An entry of the catalogue, folded."""

    __tablename__ = "algorithm_search"
    __table_args__ = (
        sa.UniqueConstraint("kind", "key", name="uq_algorithm_search_key"),
        sa.CheckConstraint(_KIND, name="ck_algorithm_search_kind"),
        sa.CheckConstraint("use >= 0", name="ck_algorithm_search_use"),
        sa.Index("ix_algorithm_search_generation", "generation"),
        sa.Index("ix_algorithm_search_due", "due_at"),
    )

    number: int = Field(primary_key=True)
    """Bit of the entry in sets of entries, and its row in ``search_words``."""
    kind: str
    key: str
    listed: bool
    """False: it was, and its number is kept, so that every process notices that it is gone."""
    hidden: bool
    path: str
    href: str
    title: str
    summary: str
    keywords: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    facets: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    use: int
    published_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    card: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    due_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    generation: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    """State of the index in which it changed last."""


class ChangeRow(Base, table=True):
    """That something changed which an entry follows from. Only ever added, and deleted once the entry is folded."""

    __tablename__ = "search_changes"
    __table_args__ = (sa.Index("ix_search_changes_urgent", "urgent"),)

    id: int = Field(primary_key=True)
    kind: str
    key: str
    urgent: bool
    """Whether the next search must see it; what runs add to an entry's use may wait for seconds."""


class StateRow(Base, table=True):
    """The state of the index; one row."""

    __tablename__ = "search_state"
    __table_args__ = (sa.CheckConstraint("id = 1", name="ck_search_state_one"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    generation: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    """Rises with every change of an entry."""
    fingerprint: str
    """What folds were made with; another one makes all of them anew."""


entries = table_of(EntryRow)
changes = table_of(ChangeRow)
state = table_of(StateRow)
