"""Sign-in with local users. There is no sign-up: an operator adds each user."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Unicode

from swath_hub.names import LONGEST, PATTERN
from swath_hub.ratelimit import FailureLimit
from swath_hub.users import UserFile

#: Its members may act on what belongs to others.
OPERATORS = "operators"
_LONGEST_SECRET = 1024


class LocalUsersAuthenticator(Authenticator):  # type: ignore[misc]
    """Users, password hashes and one-time passcodes from one file of the data folder."""

    users_file = Unicode(help="The file of local users, written by `swath user`.").tag(config=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._users = UserFile(Path(self.users_file))
        self._limit = FailureLimit()
        # Hashing takes 32 MB a time on purpose; many sign-ins at once must not take the machine's memory.
        self._hashing = asyncio.Semaphore(2)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:  # noqa: ARG002
        """Who signs in, or ``None``.

        Raises
        ------
        tornado.web.HTTPError
            429, saying for how long, after too many failures.
        """
        name = data.get("username", "").strip().lower()
        secret = data.get("password", "").strip()
        if not secret or len(secret) > _LONGEST_SECRET or len(name) > LONGEST:
            return None
        if wait := self._limit.wait_seconds(name):
            raise web.HTTPError(429, f"Too many failed sign-ins. Try again in {wait} seconds.")
        # Counted before it is tried, else many tries at once would all pass the limit.
        self._limit.failed(name)
        async with self._hashing:
            user = await asyncio.to_thread(self._users.verify, name, secret)
        if user is None:
            return None
        self._limit.succeeded(name)
        return {"name": user.name, "admin": user.admin, "groups": [OPERATORS] if user.admin else []}

    async def refresh_user(self, user: Any, handler: Any = None) -> bool | dict[str, Any]:  # noqa: ARG002
        """Sign out who was removed; take up a changed right."""
        known = await asyncio.to_thread(self._users.get, user.name)
        if known is None:
            return False
        return {"name": known.name, "admin": known.admin, "groups": [OPERATORS] if known.admin else []}

    def validate_username(self, username: str) -> bool:
        return len(username) <= LONGEST and re.fullmatch(PATTERN, username) is not None
