"""The catalogue on disk and the index made of it."""
