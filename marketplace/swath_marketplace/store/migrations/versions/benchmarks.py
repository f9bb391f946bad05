"""Rounds of benchmarks, what they found, what authors are told of it, and what each run is made for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "benchmarks"
down_revision = "reproductions"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_APPEND_ONLY = ("round_runs", "round_results")


def upgrade() -> None:
    """Make the tables and the column; every run from before was a call."""
    op.execute(
        "ALTER TABLE runs ADD COLUMN purpose VARCHAR NOT NULL DEFAULT 'call' "
        "CONSTRAINT ck_runs_purpose CHECK (purpose IN ('call', 'benchmark', 'reproduction'))"
    )
    _rounds()
    _results()
    _breaks()
    _append_only()


def _rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), nullable=False),
        *[
            sa.Column(name, sa.String(), nullable=False)
            for name in ("owner", "name", "version", "version_digest", "dossier_digest", "environment_lock_sha256")
        ],
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("told_at", _TIME),
        sa.UniqueConstraint("algorithm_id", "version_digest", "number", name="uq_rounds_number"),
        sa.CheckConstraint("trigger IN ('publish', 'schedule', 'asked')", name="ck_rounds_trigger"),
        sa.CheckConstraint("state IN ('waiting', 'running', 'ended')", name="ck_rounds_state"),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ck_rounds_ended"),
        sa.CheckConstraint("(state = 'waiting') = (started_at IS NULL)", name="ck_rounds_started"),
        sa.CheckConstraint("number > 0", name="ck_rounds_number"),
    )
    _unique("uq_rounds_open", "rounds", "algorithm_id, version_digest, dossier_digest", "state <> 'ended'")
    _unique("uq_rounds_running", "rounds", "state", "state = 'running'")
    op.create_index("ix_rounds_state", "rounds", ["state", "told_at"])
    op.create_table(
        "round_lease",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_round_lease_one"),
    )


def _results() -> None:
    op.create_table(
        "round_runs",
        sa.Column("round_id", sa.String(), sa.ForeignKey("rounds.id"), primary_key=True),
        sa.Column("scenario", sa.String(), primary_key=True),
        sa.Column("ordinal", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), unique=True),
        sa.Column("failure", sa.JSON()),
        sa.CheckConstraint("(run_id IS NULL) <> (failure IS NULL)", name="ck_round_runs_one"),
        sa.CheckConstraint("ordinal IN (0, 1)", name="ck_round_runs_ordinal"),
    )
    op.create_table(
        "round_results",
        sa.Column("round_id", sa.String(), sa.ForeignKey("rounds.id"), primary_key=True),
        sa.Column("scenario", sa.String(), primary_key=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("judged_at", _TIME, nullable=False),
    )


def _breaks() -> None:
    op.create_table(
        "breaks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), nullable=False),
        *[
            sa.Column(name, sa.String(), nullable=False)
            for name in ("owner", "name", "version", "version_digest", "scenario")
        ],
        sa.Column("round_id", sa.String(), sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("closed_by", sa.String(), sa.ForeignKey("rounds.id")),
        sa.Column("closed_at", _TIME),
        sa.Column("closed_why", sa.String()),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_why IS NULL)",
            name="ck_breaks_closed",
        ),
        sa.CheckConstraint("closed_why IS NULL OR closed_why IN ('green', 'withdrawn')", name="ck_breaks_why"),
    )
    _unique("uq_breaks_open", "breaks", "algorithm_id, version_digest, scenario", "closed_at IS NULL")
    op.create_index("ix_breaks_opened", "breaks", ["opened_at"])
    op.create_table(
        "notices",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("read_at", _TIME),
        sa.CheckConstraint(
            "kind IN ('benchmark-broken', 'benchmark-mended', 'benchmark-slower', 'benchmark-dearer')",
            name="ck_notices_kind",
        ),
    )
    op.create_index("ix_notices_user", "notices", ["user", "at"])


def _unique(name: str, table: str, columns: str, where: str) -> None:
    op.execute(f"CREATE UNIQUE INDEX {name} ON {table} ({columns}) WHERE {where}")


def _append_only() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION benchmarks_never_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'what has ended never changes'; END $$"
        )
    for table in (*_APPEND_ONLY, "rounds", "breaks"):
        _refuse(table, "DELETE", None, sqlite=sqlite)
    for table in _APPEND_ONLY:
        _refuse(table, "UPDATE", None, sqlite=sqlite)
    # Of an ended round nothing is added but that its end was told.
    same = " AND ".join(
        f"NEW.{name} = OLD.{name}"
        for name in ("id", "version_digest", "dossier_digest", "trigger", "state", "ended_at")
    )
    _refuse("rounds", "UPDATE", f"OLD.state = 'ended' AND NOT (OLD.told_at IS NULL AND {same})", sqlite=sqlite)
    _refuse("breaks", "UPDATE", "OLD.closed_at IS NOT NULL", sqlite=sqlite)


def _refuse(table: str, verb: str, when: str | None, *, sqlite: bool) -> None:
    name, condition = f"{table}_no_{verb.lower()}", f"WHEN ({when}) " if when else ""
    body = (
        f"BEGIN SELECT RAISE(ABORT, '{table}: what has ended never changes'); END"
        if sqlite
        else "EXECUTE FUNCTION benchmarks_never_change()"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW {condition}{body}")


def downgrade() -> None:
    """Take them out again."""
    for table in ("notices", "breaks", "round_results", "round_runs", "round_lease", "rounds"):
        op.drop_table(table)
    op.drop_column("runs", "purpose")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION benchmarks_never_change()")
