"""Runs inside the connection that `Database.migrate` gives: migrations and their mark are one transaction."""

from __future__ import annotations

from importlib import import_module

from alembic import context

from swath_marketplace.store.tables import Base

#: Modules whose tables are of the same metadata.
for module in (
    "account_tables",
    "assessment_tables",
    "card_tables",
    "dossier_tables",
    "keeping_tables",
    "hook_tables",
    "lineage_tables",
    "moderation_tables",
    "ogc_tables",
    "receipt_tables",
    "reproduction_tables",
    "round_tables",
    "run_link_tables",
    "search_tables",
    "value_tables",
):
    import_module(f"swath_marketplace.store.{module}")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # Rooms may share a PostgreSQL database; each keeps its own mark.
    version_table="marketplace_alembic_version",
)
with context.begin_transaction():
    context.run_migrations()
