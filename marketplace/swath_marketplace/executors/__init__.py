"""Where a run's process starts."""
