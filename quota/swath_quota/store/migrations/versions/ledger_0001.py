"""The ledger: accounts, transactions, entries, holds, grants and draws."""

import sqlalchemy as sa
from alembic import op
from swath_quota.store.tables import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _transactions()
    _entries()
    _holds()
    _grants()
    _draws()
    if op.get_context().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _accounts() -> None:
    op.create_table(
        "accounts",
        _text("id"),
        _text("kind"),
        _text("name"),
        sa.Column("tier", sa.Text()),
        _integer("balance"),
        _integer("held"),
        _integer("sequence"),
        sa.Column("refresh_at", Moment()),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("kind IN ('user', 'author', 'platform', 'issuer')", name="accounts_kind"),
        sa.CheckConstraint("id = kind || ':' || name", name="accounts_id"),
        sa.CheckConstraint("held >= 0", name="accounts_held"),
        sa.CheckConstraint("kind = 'issuer' OR balance >= held", name="accounts_overdraft"),
        sa.CheckConstraint("sequence >= 0", name="accounts_sequence"),
        sa.CheckConstraint("(kind = 'user') = (tier IS NOT NULL)", name="accounts_tier"),
    )


def _transactions() -> None:
    op.create_table(
        "transactions",
        _text("id"),
        _text("kind"),
        _text("reference"),
        _text("description"),
        _text("actor"),
        sa.Column("usage", sa.JSON(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("kind IN ('allowance', 'grant', 'capture', 'lapse')", name="transactions_kind"),
    )
    op.create_index("transactions_reference", "transactions", ["reference"])


def _entries() -> None:
    op.create_table(
        "entries",
        _text("account_id"),
        _integer("sequence"),
        _text("transaction_id"),
        _text("direction"),
        _integer("amount"),
        _integer("previous_balance"),
        _integer("current_balance"),
        sa.PrimaryKeyConstraint("account_id", "sequence"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="entries_account"),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name="entries_transaction"),
        sa.CheckConstraint("direction IN ('debit', 'credit')", name="entries_direction"),
        sa.CheckConstraint("amount > 0", name="entries_amount"),
        sa.CheckConstraint("sequence > 0", name="entries_sequence"),
        sa.CheckConstraint(
            "current_balance = previous_balance + CASE direction WHEN 'credit' THEN amount ELSE -amount END",
            name="entries_balance",
        ),
    )
    op.create_index("entries_once", "entries", ["transaction_id", "account_id"], unique=True)


def _holds() -> None:
    op.create_table(
        "holds",
        _text("id"),
        _text("account_id"),
        _integer("amount"),
        _text("purpose_kind"),
        _text("purpose_reference"),
        _text("purpose_description"),
        _text("status"),
        _integer("captured"),
        sa.Column("usage", sa.JSON(), nullable=False),
        _text("reason"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("resolved_at", Moment()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="holds_account"),
        sa.CheckConstraint("amount >= 0", name="holds_amount"),
        sa.CheckConstraint("status IN ('held', 'captured', 'released', 'expired')", name="holds_status"),
        sa.CheckConstraint(
            "captured >= 0 AND captured <= amount AND (captured = 0 OR status = 'captured')", name="holds_captured"
        ),
        sa.CheckConstraint("(status = 'held') = (resolved_at IS NULL)", name="holds_resolved"),
        sa.CheckConstraint("purpose_kind IN ('run', 'lab', 'dask')", name="holds_purpose"),
    )
    is_open = sa.text("status = 'held'")
    op.create_index("holds_open", "holds", ["expires_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index(
        "holds_open_by_account",
        "holds",
        ["account_id", "expires_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def _grants() -> None:
    op.create_table(
        "grants",
        _text("id"),
        _text("account_id"),
        _text("kind"),
        _integer("amount"),
        _integer("remaining"),
        _integer("priority"),
        _text("period"),
        _text("description"),
        _text("granted_by"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="grants_account"),
        sa.CheckConstraint("kind IN ('allowance', 'gift')", name="grants_kind"),
        sa.CheckConstraint("amount > 0 AND remaining >= 0 AND remaining <= amount", name="grants_remaining"),
        sa.CheckConstraint("(kind = 'allowance') = (period <> '')", name="grants_period"),
    )
    op.create_index("grants_by_account", "grants", ["account_id", "period"])
    is_live = sa.text("remaining > 0")
    op.create_index("grants_live", "grants", ["account_id"], sqlite_where=is_live, postgresql_where=is_live)


def _draws() -> None:
    op.create_table(
        "draws",
        _text("transaction_id"),
        _text("grant_id"),
        _integer("amount"),
        sa.PrimaryKeyConstraint("transaction_id", "grant_id"),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name="draws_transaction"),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="draws_grant"),
        sa.CheckConstraint("amount > 0", name="draws_amount"),
    )
    op.create_index("draws_by_grant", "draws", ["grant_id"])


_APPEND_ONLY = ("transactions", "entries", "draws")
_KEPT = ("accounts", "holds", "grants")
#: What of a hold never changes, and what of it is final: everything, once it is settled.
_HOLD_FIXED = "OLD.status <> 'held' OR OLD.amount <> NEW.amount OR OLD.account_id <> NEW.account_id OR OLD.id <> NEW.id"
_GRANT_FIXED = "OLD.amount <> NEW.amount OR OLD.account_id <> NEW.account_id OR NEW.remaining > OLD.remaining"


def _sqlite_triggers() -> None:
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    for table in (*_APPEND_ONLY, *_KEPT):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: nothing goes'); END"
        )
    for table, fixed in (("holds", _HOLD_FIXED), ("grants", _GRANT_FIXED)):
        op.execute(
            f"CREATE TRIGGER {table}_final BEFORE UPDATE ON {table} WHEN {fixed} "
            f"BEGIN SELECT RAISE(ABORT, 'what is settled in {table} is final'); END"
        )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION quota_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '23514'; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION quota_refuse()"
        )
    for table in (*_APPEND_ONLY, *_KEPT):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION quota_refuse()"
        )
    for table, fixed in (("holds", _HOLD_FIXED), ("grants", _GRANT_FIXED)):
        op.execute(
            f"CREATE TRIGGER {table}_final BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({fixed}) "
            "EXECUTE FUNCTION quota_refuse()"
        )
