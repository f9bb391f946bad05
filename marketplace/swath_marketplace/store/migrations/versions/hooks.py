"""Webhooks, messages to them, and idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from swath_marketplace.domain.breaks import NoticeKind

revision = "hooks"
down_revision = "ogc"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TOPICS = (
    "'run.start', 'run.progress', 'run.output', 'run.end', 'run.end.finished', 'run.end.error', 'run.end.canceled', "
    "'notice', 'ping'"
)


def upgrade() -> None:
    """Make the tables; notices know one more kind."""
    _webhooks()
    _deliveries()
    op.create_table(
        "idempotency",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("claim", sa.String(), nullable=False),
        sa.Column("claimed_until", _TIME, nullable=False),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("answered_at", _TIME),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="ck_idempotency_answered"),
    )
    op.create_index("ix_idempotency_expires", "idempotency", ["expires_at"])
    with op.batch_alter_table("notices") as notices:
        notices.drop_constraint("ck_notices_kind", type_="check")
        # Every kind that this program knows: whichever migration of notices comes last, none is left out.
        kinds = ", ".join(repr(kind.value) for kind in NoticeKind)
        notices.create_check_constraint("ck_notices_kind", f"kind IN ({kinds})")


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("algorithm", sa.String()),
        sa.Column("run_id", sa.String()),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("previous_until", _TIME),
        sa.Column("failing_since", _TIME),
        sa.Column("disabled_at", _TIME),
        sa.Column("disabled_why", sa.String(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('webhook', 'callback')", name="ck_webhooks_kind"),
        sa.CheckConstraint("secret_number > 0", name="ck_webhooks_secret_number"),
        sa.CheckConstraint("kind <> 'callback' OR run_id IS NOT NULL", name="ck_webhooks_callback"),
    )
    op.create_index("ix_webhooks_user", "webhooks", ["user", "created_at"])
    op.create_index("ix_webhooks_run", "webhooks", ["run_id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("webhook_id", sa.String(), sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("run_id", sa.String()),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("next_at", _TIME, nullable=False),
        sa.Column("gives_up_at", _TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("lease_holder", sa.String()),
        sa.Column("lease_until", _TIME),
        sa.CheckConstraint("stage IN ('waiting', 'delivered', 'failed')", name="ck_deliveries_stage"),
        sa.CheckConstraint(f"topic IN ({_TOPICS})", name="ck_deliveries_topic"),
        sa.CheckConstraint("(stage = 'waiting') = (ended_at IS NULL)", name="ck_deliveries_ended"),
        sa.CheckConstraint("tries >= 0", name="ck_deliveries_tries"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["stage", "next_at"])
    op.create_index("ix_deliveries_webhook", "deliveries", ["webhook_id", "at"])


def downgrade() -> None:
    """Take them out again; notices keep the kinds they have."""
    for table in ("idempotency", "deliveries", "webhooks"):
        op.drop_table(table)
