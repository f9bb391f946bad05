"""The desk that the bootstrap gave the application."""

from __future__ import annotations

from fastapi import Request

from swath_quota.services.desk import Desk


def current_desk(request: Request) -> Desk:
    """FastAPI dependency: what the service functions work with."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk
