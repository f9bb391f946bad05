"""Where the books are kept: `store.memory` for tests, `store.sql` on SQLite and PostgreSQL.

Nothing is imported here, so that the client's fake needs no SQL library.
"""
