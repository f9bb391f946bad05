"""The archive service's application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from swath_service.app import create_app
from swath_service.identity import Identity

from swath_archive.api.errors import STATUSES
from swath_archive.api.routes import router
from swath_archive.services.query import Archive


def make_app(*, archive: Archive, identity: Identity, prefix: str) -> FastAPI:
    """The application under `prefix`."""
    app = create_app(
        title="Swath archive", version=version("swath"), prefix=prefix, identity=identity, statuses=STATUSES
    )
    app.state.archive = archive
    app.state.prefix = prefix
    app.include_router(router, prefix=prefix.rstrip("/"))
    return app
