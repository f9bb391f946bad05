"""Runs inside the connection that `Database.migrate` gives: migrations and their mark are one transaction."""

from __future__ import annotations

from alembic import context

from swath_marketplace.store import (
    dossier_tables,  # noqa: F401 - its tables are of the same metadata
    round_tables,  # noqa: F401 - likewise
    value_tables,  # noqa: F401 - likewise
)
from swath_marketplace.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # Rooms may share a PostgreSQL database; each keeps its own mark.
    version_table="marketplace_alembic_version",
)
with context.begin_transaction():
    context.run_migrations()
