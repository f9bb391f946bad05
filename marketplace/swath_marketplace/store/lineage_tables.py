"""Tables of what ended runs read and made: an index over `runs.inputs` and `runs.outputs`, filled as a run ends."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


class UseRow(Base, table=True):
    """A file that a run read."""

    __tablename__ = "lineage_uses"
    __table_args__ = (
        sa.CheckConstraint("position >= 0", name="ck_lineage_uses_position"),
        sa.CheckConstraint("sha256 IS NULL OR length(sha256) = 64", name="ck_lineage_uses_sha256"),
        sa.Index("ix_lineage_uses_sha256", "sha256", "used_at"),
    )

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sha256: str | None = None
    collection: str | None = None
    item: str | None = None
    asset: str | None = None
    path: str | None = None
    observed: bool = False
    used_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class MakeRow(Base, table=True):
    """A file that a run made."""

    __tablename__ = "lineage_makes"
    __table_args__ = (
        sa.CheckConstraint("length(sha256) = 64", name="ck_lineage_makes_sha256"),
        sa.CheckConstraint("bytes >= 0", name="ck_lineage_makes_bytes"),
        sa.Index("ix_lineage_makes_sha256", "sha256", "made_at", "run_id"),
    )

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    name: str = Field(primary_key=True)
    sha256: str
    bytes: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    made_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


uses = table_of(UseRow)
makes = table_of(MakeRow)
