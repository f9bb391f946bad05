"""Hidden algorithms, revoked versions, the log of acts, reports, replies to reviews; what dashboards look through."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "moderation"
down_revision = "benchmarks"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
#: Also those that others add: a check cannot be widened on SQLite without making the table again.
_NOTICES = (
    "benchmark-broken",
    "benchmark-mended",
    "benchmark-slower",
    "benchmark-dearer",
    "new-version",
    "level-changed",
    "revoked",
    "hidden",
    "reported",
    "answered",
    "review",
)
_APPEND_ONLY = ("moderation_acts", "review_replies")
_REPORTED = (
    "id",
    "kind",
    "algorithm_id",
    "owner",
    "name",
    "version",
    "digest",
    "review",
    "about",
    "text",
    "reporter",
    "at",
)


def upgrade() -> None:
    """Add the columns and tables; nothing is hidden or revoked yet."""
    _columns()
    _yank_and_revoke()
    _reports()
    _acts()
    _replies()
    _kinds_of_notices()
    _indices()
    _append_only()


def _columns() -> None:
    if any(column["name"] == "hidden_at" for column in sa.inspect(op.get_bind()).get_columns("algorithms")):
        return  # a downgrade leaves them, see there
    op.execute("ALTER TABLE algorithms ADD COLUMN hidden_at " + _time())
    op.execute(
        "ALTER TABLE algorithms ADD COLUMN hidden_reason VARCHAR CONSTRAINT ck_algorithms_hidden "
        "CHECK ((hidden_at IS NULL) = (hidden_reason IS NULL))"
    )
    op.execute("ALTER TABLE versions ADD COLUMN revoked_at " + _time())
    op.execute(
        "ALTER TABLE versions ADD COLUMN revoked_reason VARCHAR CONSTRAINT ck_versions_revoked CHECK "
        "((revoked_at IS NULL) = (revoked_reason IS NULL) AND (revoked_at IS NULL OR yanked_at IS NOT NULL))"
    )
    op.add_column("runs", sa.Column("stopped_for", sa.JSON()))


def _yank_and_revoke() -> None:
    """Both happen once; a yanked version can still be revoked."""
    for name in ("unyank", "unrevoke"):
        op.execute(f"DROP TRIGGER IF EXISTS versions_no_{name}" + ("" if _is_sqlite() else " ON versions"))
    for name, act in (("unyank", "yank"), ("unrevoke", "revoke")):
        at = f"{act}ed_at" if act == "yank" else "revoked_at"
        reason = "yank_reason" if act == "yank" else "revoked_reason"
        body = (
            "BEGIN SELECT RAISE(ABORT, 'a published version never changes'); END"
            if _is_sqlite()
            else "EXECUTE FUNCTION versions_never_change()"
        )
        op.execute(
            f"CREATE TRIGGER versions_no_{name} BEFORE UPDATE OF {at}, {reason} ON versions FOR EACH ROW "
            f"WHEN (OLD.{at} IS NOT NULL) {body}"
        )


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String()),
        sa.Column("digest", sa.String()),
        sa.Column("review", sa.Integer()),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("reporter", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answer", sa.String()),
        sa.Column("answered_by", sa.String()),
        sa.Column("answered_at", _TIME),
        sa.CheckConstraint(
            "kind IN ('wrong-results', 'security', 'licence', 'abuse', 'other')", name="ck_reports_kind"
        ),
        sa.CheckConstraint("state IN ('open', 'upheld', 'dismissed')", name="ck_reports_state"),
        sa.CheckConstraint(
            "(state = 'open') = (answer IS NULL) AND (state = 'open') = (answered_by IS NULL) "
            "AND (state = 'open') = (answered_at IS NULL)",
            name="ck_reports_answered",
        ),
        sa.CheckConstraint(
            "(version IS NULL) = (digest IS NULL) AND (review IS NULL OR digest IS NOT NULL)", name="ck_reports_subject"
        ),
    )
    op.create_index("ix_reports_state", "reports", ["state", "at"])
    op.create_index("ix_reports_reporter", "reports", ["reporter", "at"])
    op.create_index("ix_reports_about", "reports", ["about", "at"])


def _acts() -> None:
    op.create_table(
        "moderation_acts",
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String()),
        sa.Column("digest", sa.String()),
        sa.Column("review", sa.Integer()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("report_id", sa.String(), sa.ForeignKey("reports.id")),
        sa.CheckConstraint("sequence > 0", name="ck_moderation_acts_sequence"),
        sa.CheckConstraint(
            "kind IN ('hide', 'unhide', 'revoke', 'withhold', 'uphold', 'dismiss')", name="ck_moderation_acts_kind"
        ),
        sa.CheckConstraint("kind <> 'revoke' OR digest IS NOT NULL", name="ck_moderation_acts_revoke"),
        sa.CheckConstraint("kind <> 'withhold' OR review IS NOT NULL", name="ck_moderation_acts_withhold"),
    )
    op.create_index("ix_moderation_acts_algorithm", "moderation_acts", ["algorithm_id", "sequence"])
    op.create_index("ix_moderation_acts_report", "moderation_acts", ["report_id"])


def _replies() -> None:
    op.create_table(
        "review_replies",
        sa.Column("algorithm_id", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("review", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["algorithm_id", "digest", "review"], ["reviews.algorithm_id", "reviews.digest", "reviews.sequence"]
        ),
        sa.CheckConstraint("sequence > 0", name="ck_review_replies_sequence"),
    )


def _kinds_of_notices() -> None:
    kinds = f"kind IN ({', '.join(repr(kind) for kind in _NOTICES)})"
    if not _is_sqlite():
        op.execute("ALTER TABLE notices DROP CONSTRAINT ck_notices_kind")
        op.execute(f"ALTER TABLE notices ADD CONSTRAINT ck_notices_kind CHECK ({kinds})")
        return
    op.execute("ALTER TABLE notices RENAME TO notices_before")
    op.execute("DROP INDEX ix_notices_user")
    op.create_table(
        "notices",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("read_at", _TIME),
        sa.CheckConstraint(kinds, name="ck_notices_kind"),
    )
    op.execute('INSERT INTO notices SELECT id, "user", kind, text, link, at, read_at FROM notices_before')
    op.execute("DROP TABLE notices_before")
    op.create_index("ix_notices_user", "notices", ["user", "at"])


def _indices() -> None:
    """What dashboards ask of runs is answered from these alone, without the rows."""
    op.create_index(
        "ix_runs_use",
        "runs",
        ["algorithm_id", "created_at", "caller", "purpose", "version", "outcome", "platform_fault", "settlement"],
    )
    op.create_index(
        "ix_runs_ended",
        "runs",
        [
            "ended_at",
            "algorithm_id",
            "version",
            "outcome",
            "platform_fault",
            "settlement",
            "purpose",
            "cost_millicredits",
        ],
    )
    op.execute("CREATE INDEX ix_runs_open ON runs (stage, caller, queued_at) WHERE stage <> 'terminal'")
    op.execute("CREATE INDEX ix_runs_failed ON runs (algorithm_id, ended_at) WHERE outcome = 'error'")
    op.execute("CREATE INDEX ix_runs_paid ON runs (algorithm_id, ended_at) WHERE added_value IS NOT NULL")


def _append_only() -> None:
    same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _REPORTED)
    if _is_sqlite():
        same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _REPORTED)
    else:
        op.execute(
            "CREATE FUNCTION moderation_never_changes() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'what was said and done here never changes'; END $$"
        )
    for table in _APPEND_ONLY:
        _refuse(table, "UPDATE", None)
        _refuse(table, "DELETE", None)
    _refuse("reports", "DELETE", None)
    _refuse("reports", "UPDATE", f"OLD.state <> 'open' OR NOT ({same})")


def _refuse(table: str, verb: str, when: str | None) -> None:
    condition = f"WHEN ({when}) " if when else ""
    body = (
        "BEGIN SELECT RAISE(ABORT, 'what was said and done here never changes'); END"
        if _is_sqlite()
        else "EXECUTE FUNCTION moderation_never_changes()"
    )
    op.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} FOR EACH ROW {condition}{body}")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _time() -> str:
    return "DATETIME" if _is_sqlite() else "TIMESTAMP WITH TIME ZONE"


def downgrade() -> None:
    """Take the tables out again; the columns stay, for a revoked version must not run again."""
    for name in ("ix_runs_open", "ix_runs_paid", "ix_runs_failed", "ix_runs_ended", "ix_runs_use"):
        op.drop_index(name, "runs")
    for table in ("review_replies", "moderation_acts", "reports"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION moderation_never_changes()")
