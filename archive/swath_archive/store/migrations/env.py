"""Run by Alembic: upgrades over the connection that `swath_archive.store.migrate` opened and locked."""

from alembic import context
from swath_archive.store.migrate import VERSION_TABLE
from swath_archive.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
