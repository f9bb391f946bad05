"""The marketplace: algorithms, their immutable versions, and the runs that callers pay for."""
