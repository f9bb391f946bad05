"""The marketplace's application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from swath_service.app import create_app
from swath_service.entity_tags import EntityTags
from swath_service.identity import Identity
from swath_service.page_keys import install_page_keys
from swath_service.pages import wants_html
from swath_service.problems import show_pages

from swath_marketplace.api import (
    account,
    account_pages,
    added_value,
    algorithms,
    assets,
    card_pages,
    cards,
    compare_pages,
    comparisons,
    dashboards,
    dossiers,
    externals,
    favourites,
    inventories,
    lineage,
    maturity,
    moderation,
    moderation_pages,
    notices,
    ogc,
    pages,
    receipts,
    reports,
    reproductions,
    rounds,
    run_form,
    run_links,
    runs,
    search,
    tickets,
    webhooks,
)
from swath_marketplace.api.context import Caller, Context
from swath_marketplace.api.errors import STATUSES
from swath_marketplace.api.idempotency import Idempotency
from swath_marketplace.api.limits import BodyLimit
from swath_marketplace.api.openapi import install_openapi
from swath_marketplace.api.rendering import error_page


class Worker(Protocol):
    """Something that works in a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def make_app(*, context: Context, workers: Sequence[Worker], identity: Identity, prefix: str) -> FastAPI:
    """The application under `prefix`; while it is up, the workers work. They are stopped the last one first."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for worker in workers:
            await run_in_threadpool(worker.start)
        yield
        for worker in reversed(workers):
            await run_in_threadpool(worker.stop)

    app = create_app(
        title="Swath marketplace",
        version=version("swath"),
        prefix=prefix,
        identity=identity,
        statuses=STATUSES,
        lifespan=lifespan,
    )
    # Inside the one that gives each request its id, so that its answer carries that too.
    base = prefix.rstrip("/")
    # What is streamed to a file is held in no memory, and so is under no key.
    streamed = frozenset({f"{base}/account/imports"})
    app.user_middleware += [
        Middleware(EntityTags),
        Middleware(BodyLimit, streamed=streamed),
        Middleware(Idempotency, base=base, passed_over=streamed),
    ]
    install_page_keys(app, prefix=prefix)
    app.state.context = context
    show_pages(app, partial(error_page, prefix=base))

    @app.get(f"{base}/health", tags=["health"])
    async def health() -> dict[str, str]:
        """Whether the service answers; needs no token."""
        return {"status": "ok"}

    @app.get(f"{base}/", tags=["about"])
    async def about(request: Request, actor: Caller) -> Any:
        """What this is, who you are here, and where to go on; for browsers the catalogue."""
        if wants_html(request):
            return await run_in_threadpool(search.catalogue_page, request, actor, context)
        doors = {name: f"{base}/{name}" for name in ("algorithms", "runs", "environments", "ogc/", "openapi.json")}
        return {"title": app.title, "version": app.version, "user": actor.name, "links": {"self": prefix, **doors}}

    for router in (
        account.router,
        account_pages.router,
        added_value.router,
        algorithms.router,
        assets.router,
        card_pages.router,
        compare_pages.router,
        cards.router,
        comparisons.router,
        dashboards.router,
        dossiers.router,
        externals.router,
        favourites.router,
        inventories.router,
        lineage.router,
        maturity.router,
        notices.router,
        moderation.router,
        moderation_pages.router,
        ogc.router,
        pages.router,
        receipts.router,
        reports.router,
        reproductions.router,
        rounds.router,
        run_form.router,
        run_links.router,
        runs.router,
        search.router,
        tickets.router,
        webhooks.router,
    ):
        app.include_router(router, prefix=base)
    install_openapi(app, base)
    return app
