"""The table of links to runs."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


class RunLinkRow(Base, table=True):
    """A link, by the sha256 of its secret."""

    __tablename__ = "run_links"
    __table_args__ = (
        sa.UniqueConstraint("secret_sha256", name="uq_run_links_secret"),
        sa.CheckConstraint("expires_at > created_at", name="ck_run_links_times"),
        sa.Index("ix_run_links_run", "run_id"),
    )

    id: str = Field(primary_key=True)
    secret_sha256: str
    run_id: str = Field(foreign_key="runs.id")
    made_by: str
    created_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime, nullable=True))


run_links = table_of(RunLinkRow)
