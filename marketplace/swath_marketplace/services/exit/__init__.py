"""Leaving: everything of an account as one archive, and such an archive brought in."""
