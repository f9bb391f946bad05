"""Alembic's migrations of the marketplace's tables; they run when the service starts."""
