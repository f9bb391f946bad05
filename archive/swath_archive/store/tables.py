"""Tables of the index, as SQLModel sees them. Nothing here is a truth of its own: all of it is made from the catalogue.

The constraints stand in the migrations as well; SQLModel does not validate what it stores.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class _Row(SQLModel, registry=registry()):
    """Base with a registry of its own: other services in the same process have tables too."""


class StateRow(_Row, table=True):
    """The digest of the catalogue that the other rows were made from; one row."""

    __tablename__ = "archive_state"
    __table_args__ = (CheckConstraint("id = 1", name="archive_state_single"),)

    id: int = Field(default=1, primary_key=True)
    digest: str = Field(sa_type=Text)


class CollectionRow(_Row, table=True):
    """A collection's document."""

    __tablename__ = "archive_collections"

    id: str = Field(primary_key=True, sa_type=Text)
    body: str = Field(sa_type=Text)
    """The document as it stands in the catalogue."""


class ItemRow(_Row, table=True):
    """An item's document, with what searches ask for in columns."""

    __tablename__ = "archive_items"
    __table_args__ = (
        CheckConstraint("starts_us <= ends_us", name="archive_items_interval"),
        CheckConstraint("south <= north", name="archive_items_latitudes"),
        # The order of every page of results.
        Index("archive_items_order", "at_us", "collection", "id"),
    )

    collection: str = Field(
        sa_column=Column(Text, ForeignKey("archive_collections.id", ondelete="CASCADE"), primary_key=True)
    )
    id: str = Field(primary_key=True, sa_type=Text)
    at_us: int = Field(sa_type=BigInteger)
    """Microseconds since 1970, UTC: sorts alike on SQLite, which has no type for times, and on PostgreSQL."""
    starts_us: int = Field(sa_type=BigInteger)
    ends_us: int = Field(sa_type=BigInteger)
    west: float
    south: float
    east: float
    north: float
    body: str = Field(sa_type=Text)


metadata = _Row.metadata
