"""Interrupt what runs in a user's kernels, through the server's own REST API, so that its files can be saved."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import quote

import httpx
from jupyterhub import orm

log = logging.getLogger(__name__)
_TOKEN_SECONDS = 60
_TIMEOUT_SECONDS = 5.0


async def interrupt_kernels(user: Any, spawner: Any) -> int:
    """Interrupt every kernel of the server; how many. What fails is logged: the server is stopped all the same.

    Parameters
    ----------
    user, spawner
        JupyterHub's own objects. The token made here may use this one server, for a minute, and is taken back at once.
    """
    if spawner.server is None:
        return 0
    token = user.new_api_token(
        note="Interrupts kernels before the server stops",
        expires_in=_TOKEN_SECONDS,
        scopes=[f"access:servers!server={user.name}/{spawner.name}"],
    )
    try:
        return await _interrupt(spawner.server.url, token)
    except (httpx.HTTPError, ValueError, TypeError, KeyError) as error:
        # The type alone: the server is the user's, and what it says goes into no log.
        log.warning("The kernels of %s can't be interrupted: %s", user.name, type(error).__name__)
        return 0
    finally:
        found = orm.APIToken.find(user.db, token)
        if found is not None:
            user.db.delete(found)
            user.db.commit()


async def _interrupt(url: str, token: str) -> int:
    headers = {"Authorization": f"token {token}"}
    # trust_env=False: a proxy named in the environment must not see the token.
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False, follow_redirects=False
    ) as client:
        answer = await client.get("api/kernels")
        answer.raise_for_status()
        names = [str(kernel["id"]) for kernel in answer.json()]
        asked = [client.post(f"api/kernels/{quote(name, safe='')}/interrupt") for name in names]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    return sum(isinstance(one, httpx.Response) and one.is_success for one in answers)
