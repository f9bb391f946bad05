"""Grants as sub-accounts, organisations, refunds, frozen prices, hashed entries."""

import json
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op
from swath_quota.store.migrations.triggers import drop_triggers, make_triggers
from swath_quota.store.tables import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WALLETS = "('user', 'organisation')"
#: Constraints that say more than they did: table, name, what it says now.
_CONSTRAINTS = {
    "accounts": {
        "accounts_kind": "kind IN ('user', 'organisation', 'author', 'platform', 'issuer')",
        "accounts_tier": f"(kind IN {_WALLETS}) = (tier IS NOT NULL)",
    },
    "transactions": {"transactions_kind": "kind IN ('allowance', 'grant', 'capture', 'lapse', 'refund')"},
    "grants": {
        "grants_remaining": "amount > 0 AND held >= 0 AND remaining >= held AND remaining <= amount",
        "grants_category": "category IN ('promotional', 'research', 'compensation', 'paid')",
    },
}
_FRESH = {"grants_category"}


def upgrade() -> None:
    drop_triggers(("transactions", "entries", "draws", "accounts", "holds", "grants"))
    _columns()
    _fill()
    for table, constraints in _CONSTRAINTS.items():
        with op.batch_alter_table(table) as batch:
            for name, said in constraints.items():
                if name not in _FRESH:
                    batch.drop_constraint(name, type_="check")
                batch.create_check_constraint(name, sa.text(said))
    _members()
    make_triggers()


def _columns() -> None:
    def text(name: str) -> sa.Column[str]:
        return sa.Column(name, sa.Text(), nullable=False, server_default="")

    def integer(name: str) -> sa.Column[int]:
        return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")

    def value(name: str, said: str) -> sa.Column[object]:
        return sa.Column(name, sa.JSON(), nullable=False, server_default=said)

    added: dict[str, list[sa.Column[Any]]] = {
        "accounts": [text("title"), text("head")],
        "entries": [text("previous_hash"), text("hash")],
        "holds": [
            text("member"), integer("asked"), value("allocations", "[]"), text("price_version"), text("algorithm")
        ],
        "grants": [text("category"), integer("held"), value("scope", "{}"), sa.Column("effective_at", Moment())],
    }  # fmt: skip
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)


def _fill() -> None:
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE grants SET category = 'promotional', effective_at = created_at"))
    connection.execute(sa.text("UPDATE holds SET asked = amount, member = substr(account_id, 6)"))
    # The price list in force then; there was one.
    connection.execute(sa.text("UPDATE holds SET price_version = '2023-11-01'"))
    # Each wallet is seen to when it is next touched, and gets the account that earns what it pays.
    connection.execute(sa.text("UPDATE accounts SET refresh_at = NULL WHERE kind = 'user'"))
    _allocate(connection)
    _hash(connection)
    with op.batch_alter_table("grants") as batch:
        batch.alter_column("effective_at", existing_type=Moment(), nullable=False)
        for name, kind in (("category", sa.Text()), ("held", sa.BigInteger()), ("scope", sa.JSON())):
            batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    for table, names in (
        ("accounts", ("title", "head")),
        ("entries", ("previous_hash", "hash")),
        ("holds", ("member", "asked", "allocations", "price_version", "algorithm")),
    ):
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.alter_column(name, server_default=None)


def _allocate(connection: sa.Connection) -> None:
    """Say for each open hold which grants back it, in the order in which they would have been spent."""
    free: dict[str, list[list[Any]]] = {}
    rows = connection.execute(
        sa.text(
            "SELECT id, account_id, remaining FROM grants WHERE remaining > 0"
            " ORDER BY priority, expires_at IS NULL, expires_at, created_at, id"
        )
    )
    for row in rows:
        free.setdefault(row.account_id, []).append([row.id, row.remaining])
    holds = connection.execute(
        sa.text("SELECT id, account_id, amount FROM holds WHERE status = 'held' ORDER BY created_at, id")
    ).all()
    for hold in holds:
        parts, wanted = [], hold.amount
        for grant in free.get(hold.account_id, []):
            part = min(wanted, grant[1])
            if part:
                parts.append([grant[0], part])
                grant[1] -= part
                wanted -= part
                connection.execute(
                    sa.text("UPDATE grants SET held = held + :part WHERE id = :id"), {"part": part, "id": grant[0]}
                )
        _set_allocations(connection, hold.id, parts)
    settled = connection.execute(sa.text("SELECT id, amount FROM holds WHERE status <> 'held' AND amount > 0")).all()
    for hold in settled:
        # What backed it is not known any more; the parts must sum to the amount.
        _set_allocations(connection, hold.id, [["", hold.amount]])


def _set_allocations(connection: sa.Connection, hold_id: str, parts: list[Any]) -> None:
    holds = sa.table("holds", sa.column("id", sa.Text()), sa.column("allocations", sa.JSON()))
    connection.execute(holds.update().where(holds.c.id == hold_id).values(allocations=parts))


def _hash(connection: sa.Connection) -> None:
    """Chain the entries there are: the formula is that of `swath_quota.domain.ledger.entry_hash` at this revision."""
    entries = sa.table(
        "entries",
        *(sa.column(name) for name in ("account_id", "sequence", "transaction_id", "direction", "amount")),
        *(sa.column(name) for name in ("previous_balance", "current_balance", "previous_hash", "hash")),
    )
    transactions = sa.table(
        "transactions",
        *(sa.column(name) for name in ("id", "kind", "reference", "description")),
        sa.column("at", Moment()),
    )
    found = connection.execute(
        sa.select(
            entries.c.account_id,
            entries.c.sequence,
            entries.c.transaction_id,
            transactions.c.kind,
            entries.c.direction,
            entries.c.amount,
            entries.c.previous_balance,
            entries.c.current_balance,
            transactions.c.reference,
            transactions.c.description,
            transactions.c.at,
        )
        .join_from(entries, transactions, transactions.c.id == entries.c.transaction_id)
        .order_by(entries.c.account_id, entries.c.sequence)
    ).all()
    heads: dict[str, str] = {}
    for row in found:
        before = heads.get(row.account_id, "")
        said = [*row[:-1], row.at.isoformat(timespec="microseconds"), before]
        after = sha256(json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()
        connection.execute(
            entries.update()
            .where(entries.c.account_id == row.account_id, entries.c.sequence == row.sequence)
            .values(previous_hash=before, hash=after)
        )
        heads[row.account_id] = after
    for account_id, head in heads.items():
        connection.execute(sa.text("UPDATE accounts SET head = :head WHERE id = :id"), {"head": head, "id": account_id})


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("ceiling", sa.BigInteger()),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("removed_at", Moment()),
        sa.PrimaryKeyConstraint("organisation_id", "member"),
        sa.ForeignKeyConstraint(["organisation_id"], ["accounts.id"], name="members_organisation"),
        sa.CheckConstraint("role IN ('member', 'owner')", name="members_role"),
        sa.CheckConstraint("held >= 0 AND spent >= 0 AND (ceiling IS NULL OR ceiling >= 0)", name="members_amounts"),
        sa.CheckConstraint("removed_at IS NULL OR NOT is_default", name="members_default"),
    )
    op.create_index("members_by_user", "members", ["member"])
