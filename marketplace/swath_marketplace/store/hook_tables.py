"""Webhooks, the messages to them, and idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.hooks import DeliveryStage, Kind, Topic
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[Kind | DeliveryStage | Topic]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class WebhookRow(Base, table=True):
    """Somebody who listens. Secrets are not in here: they follow from the id, the number and a key in a file."""

    __tablename__ = "webhooks"
    __table_args__ = (
        sa.CheckConstraint(_one_of("kind", Kind), name="ck_webhooks_kind"),
        sa.CheckConstraint("secret_number > 0", name="ck_webhooks_secret_number"),
        sa.CheckConstraint("kind <> 'callback' OR run_id IS NOT NULL", name="ck_webhooks_callback"),
        sa.Index("ix_webhooks_user", "user", "created_at"),
        sa.Index("ix_webhooks_run", "run_id"),
    )

    id: str = Field(primary_key=True)
    user: str
    kind: str
    url: str
    topics: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    algorithm: str | None = None
    run_id: str | None = None
    form: str
    description: str
    secret_number: int
    previous_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    failing_since: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    disabled_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    disabled_why: str
    created_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class DeliveryRow(Base, table=True):
    """A message to one listener: written in the transaction of what it tells of, and worked on until it has ended."""

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.CheckConstraint(_one_of("stage", DeliveryStage), name="ck_deliveries_stage"),
        sa.CheckConstraint(_one_of("topic", Topic), name="ck_deliveries_topic"),
        sa.CheckConstraint("(stage = 'waiting') = (ended_at IS NULL)", name="ck_deliveries_ended"),
        sa.CheckConstraint("tries >= 0", name="ck_deliveries_tries"),
        sa.Index("ix_deliveries_due", "stage", "next_at"),
        sa.Index("ix_deliveries_webhook", "webhook_id", "at"),
    )

    id: str = Field(primary_key=True)
    webhook_id: str = Field(
        sa_column=sa.Column(sa.String, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False)
    )
    topic: str
    run_id: str | None = None
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    position: int
    """Among those of one moment."""
    body: str | None = Field(default=None, sa_column=sa.Column(sa.Text))
    stage: str
    next_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    gives_up_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    tries: int
    attempts: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    lease_holder: str | None = None
    lease_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class IdempotencyRow(Base, table=True):
    """What was answered to one request of one caller at one door; neither key nor answer can be read here."""

    __tablename__ = "idempotency"
    __table_args__ = (
        sa.CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="ck_idempotency_answered"),
        sa.Index("ix_idempotency_expires", "expires_at"),
    )

    id: str = Field(primary_key=True)
    """sha256 of caller, door and key."""
    request_sha256: str
    claim: str
    """Who works on it; who took over has another."""
    claimed_until: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    answer: bytes | None = Field(default=None, sa_column=sa.Column(sa.LargeBinary))
    """Sealed with a key that follows from the idempotency key: an answer may hold what is shown once."""
    answered_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    expires_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


webhooks = table_of(WebhookRow)
deliveries = table_of(DeliveryRow)
idempotency = table_of(IdempotencyRow)
