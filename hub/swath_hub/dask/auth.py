"""Who may have clusters: holders of a hub token that may access this service."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import web
from dask_gateway_server.auth import JupyterHubAuthenticator, unauthorized
from dask_gateway_server.models import User


class HubTokens(JupyterHubAuthenticator):  # type: ignore[misc]
    """`JupyterHubAuthenticator` that says 401 of a token nobody knows (its parent says 500) and takes no service's."""

    def get_token(self, request: web.Request) -> str | None:
        """The token in the header, under JupyterHub's own word or the usual ones."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() in {"jupyterhub", "token", "bearer"} else None

    async def authenticate(self, request: web.Request) -> User:
        """The user behind the token.

        Raises
        ------
        aiohttp.web.HTTPException
            401 without a token, with one that is unknown or may not access this service; 503 when the hub is silent.
        """
        token = self.get_token(request)
        if token is None:
            raise unauthorized("jupyterhub")
        headers = {"Authorization": f"token {token}"}
        try:
            async with self.session.get(f"{self.jupyterhub_api_url}/user", headers=headers) as response:
                if response.status in (401, 403, 404):
                    raise unauthorized("jupyterhub")
                response.raise_for_status()
                model: dict[str, Any] = await response.json()
        except aiohttp.ClientError as error:
            raise web.HTTPServiceUnavailable(reason="JupyterHub does not answer; try again in a few seconds") from error
        needed = {"access:services", f"access:services!service={self.jupyterhub_service_name}"}
        if model.get("kind") != "user" or not needed.intersection(model.get("scopes", ())):
            raise unauthorized("jupyterhub")
        return User(model["name"], groups=model.get("groups", []), admin=bool(model.get("admin")))
