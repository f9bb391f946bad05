"""What is kept beyond its time, and why."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


class ResultPinRow(Base, table=True):
    """A reason to keep a run's files."""

    __tablename__ = "result_pins"
    __table_args__ = (sa.CheckConstraint("reason <> ''", name="ck_result_pins_reason"),)

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    reason: str = Field(primary_key=True)
    pinned_by: str
    pinned_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


result_pins = table_of(ResultPinRow)
