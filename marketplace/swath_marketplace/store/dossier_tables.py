"""The table of dossiers. Triggers of the migration make it append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


class DossierRow(Base, table=True):
    """One state of the files beside a version."""

    __tablename__ = "dossiers"
    __table_args__ = (sa.CheckConstraint("sequence > 0", name="ck_dossiers_sequence"),)

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    version_digest: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str
    files: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    scenarios: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    put_by: str
    put_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


dossiers = table_of(DossierRow)
