"""Run by Alembic: upgrades over the connection that `swath_quota.store.migrate` opened and locked."""

import swath_quota.store.quote_tables
import swath_quota.store.reports_tables  # noqa: F401 - its index belongs to the metadata
from alembic import context
from swath_quota.store import limits_tables  # noqa: F401 - its tables are of the same metadata
from swath_quota.store.migrate import VERSION_TABLE
from swath_quota.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
