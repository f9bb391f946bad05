"""What each ended run read and made, by sha256."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "lineage"
down_revision = "maturity"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_AT_ONCE = 200

_runs = sa.table(
    "runs",
    *(sa.column(name) for name in ("id", "stage", "inputs", "outputs")),
    *(sa.column(name, _TIME) for name in ("created_at", "started_at", "ended_at")),
)


def upgrade() -> None:
    """Make the tables, and fill them from the runs that have ended."""
    uses = op.create_table(
        "lineage_uses",
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String()),
        sa.Column("collection", sa.String()),
        sa.Column("item", sa.String()),
        sa.Column("asset", sa.String()),
        sa.Column("path", sa.String()),
        sa.Column("observed", sa.Boolean(), nullable=False),
        sa.Column("used_at", _TIME, nullable=False),
        sa.CheckConstraint("position >= 0", name="ck_lineage_uses_position"),
        sa.CheckConstraint("sha256 IS NULL OR length(sha256) = 64", name="ck_lineage_uses_sha256"),
    )
    makes = op.create_table(
        "lineage_makes",
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name="ck_lineage_makes_sha256"),
        sa.CheckConstraint("bytes >= 0", name="ck_lineage_makes_bytes"),
    )
    op.create_index("ix_lineage_uses_sha256", "lineage_uses", ["sha256", "used_at"])
    op.create_index("ix_lineage_makes_sha256", "lineage_makes", ["sha256", "made_at", "run_id"])
    connection = op.get_bind()
    for ended in _ended(connection):
        used, made = _uses(ended), _makes(ended)
        if used:
            connection.execute(uses.insert(), used)
        if made:
            connection.execute(makes.insert(), made)


def _ended(connection: sa.Connection) -> Iterator[Any]:
    last = ""
    while True:
        rows = connection.execute(
            sa.select(_runs).where(_runs.c.stage == "terminal", _runs.c.id > last).order_by(_runs.c.id).limit(_AT_ONCE)
        ).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id


def _uses(run: Any) -> list[dict[str, Any]]:
    found: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for said in _list(run.inputs):
        sha256 = _text(said, "sha256")
        sha256 = sha256 if sha256 and len(sha256) == 64 else None
        names = ("collection", "item", "asset", "path", "href")
        key = (sha256, *(_text(said, name) for name in names))
        found.setdefault(
            key,
            {
                "run_id": run.id,
                "position": len(found),
                "sha256": sha256,
                **{name: _text(said, name) for name in names[:3]},
                "path": _text(said, "path") or _text(said, "href"),
                "observed": said.get("observed") == "served",
                "used_at": _utc(run.started_at or run.created_at),
            },
        )
    return list(found.values())


def _makes(run: Any) -> list[dict[str, Any]]:
    at = _utc(run.ended_at or run.created_at)
    return [
        {"run_id": run.id, "name": one["name"], "sha256": one["sha256"], "bytes": one["bytes"], "made_at": at}
        for one in _list(run.outputs)
    ]


def _list(value: Any) -> list[dict[str, Any]]:
    read = json.loads(value) if isinstance(value, str) else value
    return [one for one in read or [] if isinstance(one, dict)]


def _text(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def _utc(value: datetime) -> datetime:
    # SQLite gives back what it was given: UTC, without saying so.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def downgrade() -> None:
    """Take them out again."""
    op.drop_table("lineage_makes")
    op.drop_table("lineage_uses")
