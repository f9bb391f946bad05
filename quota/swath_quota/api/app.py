"""The quota service's application."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from swath_service.app import create_app
from swath_service.identity import Identity
from swath_service.pages import wants_html

from swath_quota.api import authors, holds, limits, organisations, pages, quotes, reports, usage, wallets
from swath_quota.api.errors import STATUSES
from swath_quota.services.desk import Desk
from swath_quota.services.estimating import warm
from swath_quota.services.sweeper import Sweeper

_DOORS = (
    "wallet",
    "wallet/entries",
    "wallet/balance",
    "wallet/spending",
    "wallet/charges",
    "wallet/holds",
    "wallet/grants",
    "limits",
    "quotes/coverage",
    "usage",
    "tiers",
    "prices",
    "openapi.json",
)


def make_app(*, desk: Desk, identity: Identity, prefix: str, sweep_seconds: float | None = None) -> FastAPI:
    """The application under `prefix`; with `sweep_seconds` it also voids overdue holds, so often, while it is up."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = Sweeper(desk, every_seconds=sweep_seconds) if sweep_seconds else None
        if sweeper:
            sweeper.start()
            # Seconds of imports that no start should wait for, and no quote either.
            threading.Thread(target=warm, name="learning", daemon=True).start()
        yield
        if sweeper:
            sweeper.stop()

    app = create_app(
        title="Swath quota",
        version=version("swath"),
        prefix=prefix,
        identity=identity,
        statuses=STATUSES,
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.state.prefix = prefix
    base = prefix.rstrip("/")

    @app.get(f"{base}/", tags=["about"], response_model=dict[str, object])
    def about(
        request: Request, actor: wallets.Caller, query: Annotated[pages.OverviewQuery, Query()]
    ) -> dict[str, object] | Response:
        """What this is, who you are here, and where to go on; to a browser, the page of the wallet."""
        if wants_html(request):
            return pages.overview_page(request, actor, desk, query=query)
        doors = {name: f"{base}/{name}" for name in _DOORS}
        return {"title": app.title, "version": app.version, "user": actor.name, "links": {"self": prefix, **doors}}

    for router in (
        authors.router,
        holds.router,
        limits.router,
        organisations.router,
        pages.router,
        quotes.router,
        reports.router,
        usage.router,
        wallets.router,
    ):
        app.include_router(router, prefix=base)
    return app
