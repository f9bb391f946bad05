"""The marketplace over HTTP."""
