"""A service with a page for browsers, as the tests of sign-in need one."""

from typing import Annotated

from fastapi import APIRouter, Depends
from swath_service.actor import Actor
from swath_service.app import create_app, serve
from swath_service.identity import HubIdentity, current_actor
from swath_service.oauth import BrowserSessions, OAuthSettings, browser_actor
from swath_service.settings import HubSettings

hub = HubSettings.from_environment()
app = create_app(
    title="pages",
    version="0",
    prefix=hub.prefix,
    identity=HubIdentity(api_url=hub.api_url, cache_seconds=0),
    statuses={},
)
router = APIRouter(prefix=hub.prefix.rstrip("/"))


@router.get("/")
async def page(actor: Annotated[Actor, Depends(browser_actor)]) -> dict[str, object]:
    return {"name": actor.name, "scopes": sorted(actor.scopes)}


@router.post("/")
async def change(actor: Annotated[Actor, Depends(browser_actor)]) -> dict[str, str]:
    return {"changed by": actor.name}


@router.get("/api")
async def program(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, str]:
    return {"name": actor.name}


app.include_router(router)
BrowserSessions(OAuthSettings.from_environment()).install(app)
serve(app, service="pages", host=hub.host, port=hub.port)
