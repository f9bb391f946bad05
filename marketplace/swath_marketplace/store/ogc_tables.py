"""Tables of what only the door of OGC API - Processes knows: how a run is answered, and packages that were deployed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.executions import ResponseForm
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of

_FORMS = ", ".join(repr(form.value) for form in ResponseForm)


class ExecutionRow(Base, table=True):
    """How a run wants to be answered."""

    __tablename__ = "ogc_executions"
    __table_args__ = (sa.CheckConstraint(f"response IN ({_FORMS})", name="ck_ogc_executions_response"),)

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    response: str
    outputs: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    origin: str | None = None
    dismissed_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class PackageRow(Base, table=True):
    """The application package that a version was deployed with, as it was sent."""

    __tablename__ = "ogc_packages"
    __table_args__ = (
        sa.ForeignKeyConstraint(["algorithm_id", "version"], ["versions.algorithm_id", "versions.version"]),
    )

    algorithm_id: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    sha256: str
    media_type: str
    stored_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


executions = table_of(ExecutionRow)
packages = table_of(PackageRow)
