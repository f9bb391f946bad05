"""Where the marketplace remembers: a database (SQLite or PostgreSQL), content-addressed artifacts, environments."""
