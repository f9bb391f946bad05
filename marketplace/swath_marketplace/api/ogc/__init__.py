"""The door of OGC API - Processes: algorithms as processes, runs as jobs. Parts 1, 2 (draft) and of 4 (draft)."""

from __future__ import annotations

from fastapi import APIRouter

from swath_marketplace.api.ogc import capabilities, jobs, packages, processes

router = APIRouter()
for one in (capabilities.router, processes.router, packages.router, jobs.router):
    router.include_router(one)
