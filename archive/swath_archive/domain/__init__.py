"""What the archive speaks of: bands, collections, scenes, searches. Pure; no framework stands here."""
