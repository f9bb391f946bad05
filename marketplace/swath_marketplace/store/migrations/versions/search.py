"""The search index: entries, their words, and notes of what changed; filled when the service starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "search"
down_revision = "moderation"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_WORDS = ("title", "summary", "keywords", "body")
#: Table -> column with the algorithm's id, when its rows are noted.
_FOLLOWED = (
    ("algorithms", "id", ("UPDATE",)),
    ("versions", "algorithm_id", ("INSERT", "UPDATE")),
    ("dossiers", "algorithm_id", ("INSERT",)),
    ("assessments", "algorithm_id", ("INSERT",)),
    ("maturity_marks", "algorithm_id", ("INSERT",)),
    ("added_value_prices", "algorithm_id", ("INSERT",)),
)


def upgrade() -> None:
    """Make the tables; every algorithm of before is noted, so that the first start folds it."""
    op.create_table(
        "algorithm_search",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        *[sa.Column(name, sa.String(), nullable=False) for name in ("path", "href", "title", "summary")],
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("facets", sa.JSON(), nullable=False),
        sa.Column("use", sa.Integer(), nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("due_at", _TIME),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("kind", "key", name="uq_algorithm_search_key"),
        sa.CheckConstraint("kind IN ('algorithm', 'external')", name="ck_algorithm_search_kind"),
        sa.CheckConstraint("use >= 0", name="ck_algorithm_search_use"),
    )
    op.create_index("ix_algorithm_search_generation", "algorithm_search", ["generation"])
    op.create_index("ix_algorithm_search_due", "algorithm_search", ["due_at"])
    op.create_table(
        "search_changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_search_changes_urgent", "search_changes", ["urgent"])
    op.create_table(
        "search_state",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_search_state_one"),
    )
    op.execute("INSERT INTO search_state (id, generation, fingerprint) VALUES (1, 0, '')")
    op.execute("INSERT INTO search_changes (kind, key, urgent) SELECT 'algorithm', id, true FROM algorithms")
    sqlite = op.get_bind().dialect.name == "sqlite"
    _words(sqlite=sqlite)
    for table, column, verbs in _FOLLOWED:
        for verb in verbs:
            _note(table, verb, column, urgent="true", when=None, sqlite=sqlite)
    for verb, before in (("INSERT", ""), ("UPDATE", " AND OLD.stage <> 'terminal'")):
        _note("runs", verb, "algorithm_id", urgent="false", when=f"NEW.stage = 'terminal'{before}", sqlite=sqlite)


def _words(*, sqlite: bool) -> None:
    if sqlite:
        # The words are folded before they come here; only their columns count, so their sizes are not kept.
        op.execute(
            f"CREATE VIRTUAL TABLE search_words USING fts5({', '.join(_WORDS)}, "
            "tokenize = 'unicode61 remove_diacritics 0', columnsize = 0, prefix = '2 3')"
        )
        return
    op.execute(
        "CREATE TABLE search_words (number integer PRIMARY KEY, "
        f"{', '.join(f'{name} tsvector NOT NULL' for name in _WORDS)}) "
        # Only the indexes read the words; with them set apart, all rows are in a few pages.
        "WITH (toast_tuple_target = 128)"
    )
    for name in _WORDS:
        # What waits in a list is walked through by every search; an entry may as well be indexed when it is folded.
        op.execute(f"CREATE INDEX ix_search_words_{name} ON search_words USING gin ({name}) WITH (fastupdate = off)")


def _note(table: str, verb: str, column: str, *, urgent: str, when: str | None, sqlite: bool) -> None:
    name, condition = f"{table}_search_{verb.lower()}", f"WHEN ({when}) " if when else ""
    values = f"('algorithm', NEW.{column}, {urgent})"
    note = "INSERT INTO search_changes (kind, key, urgent) VALUES " + values  # noqa: S608 - names of our own
    if sqlite:
        op.execute(f"CREATE TRIGGER {name} AFTER {verb} ON {table} FOR EACH ROW {condition}BEGIN {note}; END")
        return
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note}; RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER {name} AFTER {verb} ON {table} FOR EACH ROW {condition}EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    """Take them out again."""
    followed = [(table, verb) for table, _, verbs in _FOLLOWED for verb in verbs]
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, verb in (*followed, ("runs", "INSERT"), ("runs", "UPDATE")):
        name = f"{table}_search_{verb.lower()}"
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP FUNCTION {name}() CASCADE")
    for table in ("search_words", "search_state", "search_changes", "algorithm_search"):
        op.drop_table(table)
