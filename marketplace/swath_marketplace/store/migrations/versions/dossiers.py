"""What authors put beside versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "dossiers"
down_revision = "value"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; versions from before have no dossier."""
    op.create_table(
        "dossiers",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("version_digest", sa.String(), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("scenarios", sa.JSON(), nullable=False),
        sa.Column("put_by", sa.String(), nullable=False),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sequence > 0", name="ck_dossiers_sequence"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER dossiers_no_{verb.lower()} BEFORE {verb} ON dossiers "
                "BEGIN SELECT RAISE(ABORT, 'dossiers is append-only'); END"
            )
        return
    # The function is the one that the tables of added value have.
    op.execute(
        "CREATE TRIGGER dossiers_append_only BEFORE UPDATE OR DELETE ON dossiers FOR EACH ROW "
        "EXECUTE FUNCTION value_never_changes()"
    )


def downgrade() -> None:
    """Take it out again."""
    op.drop_table("dossiers")
