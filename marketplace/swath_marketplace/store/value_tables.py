"""Tables of what authors ask and of how mature versions are. Triggers of the migration make both append-only."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[Per | MaturityLevel]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class PriceRow(Base, table=True):
    """A price that an author set."""

    __tablename__ = "added_value_prices"
    __table_args__ = (
        sa.CheckConstraint(f"per IS NULL OR {_one_of('per', Per)}", name="ck_added_value_prices_per"),
        sa.CheckConstraint("(per IS NULL) = (millicredits = 0)", name="ck_added_value_prices_none"),
        sa.CheckConstraint("millicredits >= 0 AND sequence > 0", name="ck_added_value_prices_amount"),
    )

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    per: str | None = None
    millicredits: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    set_by: str
    set_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    effective_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class MarkRow(Base, table=True):
    """The level of a version, as an operator set it."""

    __tablename__ = "maturity_marks"
    __table_args__ = (
        sa.CheckConstraint(_one_of("level", MaturityLevel), name="ck_maturity_marks_level"),
        sa.CheckConstraint("sequence > 0", name="ck_maturity_marks_sequence"),
    )

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    digest: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    level: str
    reason: str
    set_by: str
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


prices = table_of(PriceRow)
marks = table_of(MarkRow)
