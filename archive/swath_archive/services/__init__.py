"""What the archive can be asked to do."""
