"""The archive over HTTP: a read-only STAC API, and the assets' bytes."""
