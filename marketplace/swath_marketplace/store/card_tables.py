"""Tables of favourites and follows, of what followers were told, and of entries that stand on other platforms."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of

_LEVELS = ", ".join(repr(level.value) for level in MaturityLevel)


class FavouriteRow(Base, table=True):
    """That a user keeps an algorithm at hand."""

    __tablename__ = "favourites"

    user: str = Field(primary_key=True)
    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class FollowRow(Base, table=True):
    """That a user wants to know what happens to an algorithm."""

    __tablename__ = "follows"
    __table_args__ = (sa.Index("ix_follows_algorithm", "algorithm_id"),)

    user: str = Field(primary_key=True)
    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class FollowedVersionRow(Base, table=True):
    """What followers know of a version: what changed since is told, once."""

    __tablename__ = "followed_versions"
    __table_args__ = (sa.CheckConstraint(f"level IN ({_LEVELS})", name="ck_followed_versions_level"),)

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    digest: str = Field(primary_key=True)
    level: str
    gone: bool
    """Whether it was yanked or revoked."""
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class ExternalEntryRow(Base, table=True):
    """An algorithm that another platform offers, as its record says."""

    __tablename__ = "external_entries"
    __table_args__ = (
        sa.CheckConstraint("length(source) > 0 AND length(record_id) > 0", name="ck_external_entries_named"),
        sa.CheckConstraint("length(record_sha256) = 64", name="ck_external_entries_sha256"),
    )

    source: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    title: str
    record: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    record_sha256: str
    imported_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


favourites = table_of(FavouriteRow)
follows = table_of(FollowRow)
followed_versions = table_of(FollowedVersionRow)
external_entries = table_of(ExternalEntryRow)
