"""Run by Alembic: upgrades over the connection that `swath_quota.store.migrate` opened and locked."""

from alembic import context
from swath_quota.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="quota_schema",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
