"""Pages with scripts: an authority for one page, which no script of another page can get at.

A session's cookie only reads (`swath_service.oauth`): all users share an origin, and a Lab server's page may run
anybody's script. A page whose own scripts act has an origin of its own (``Pages.render(scripts=…)``), where no cookie
counts; it carries a key that stands for its person's session. The key is given only to a browser that goes to the page
(`swath_service.navigation`), never to a script that fetches it, and its answer can be read by no other page. The
scripts send it as ``Authorization: Bearer swath-page-…`` and are, to the service, another origin: hence CORS, without
credentials.
"""

from __future__ import annotations

from typing import Protocol

from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from swath_service.kept import Kept
from swath_service.navigation import navigated

KEY_SECONDS = 3600
_PREFIX = "swath-page-"
_ALLOWED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Range",
    "If-None-Match",
    "If-Match",
    "Prefer",
)
_EXPOSED = (
    "Location",
    "ETag",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "X-Request-Id",
    "Retry-After",
    "Preference-Applied",
    "Idempotency-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "WWW-Authenticate",
    "Link",
)


class Sessions(Protocol):
    """Sessions of browsers (`swath_service.oauth.BrowserSessions`)."""

    def name(self, request: Request) -> str | None:
        """The name of the request's session, where it has one that holds."""
        ...

    def token_of(self, name: str) -> str | None:
        """The hub's token of the session of that name, while it holds."""
        ...


class PageKeys:
    """Keys of the pages of one service, kept in its process: a restart asks people to load the page again."""

    def __init__(self) -> None:
        # Of a session, not of its token: who signs out takes the keys along.
        self._sessions: Kept[str] = Kept(KEY_SECONDS)

    def issue(self, request: Request) -> str | None:
        """A key for the page that `request` asks for.

        Returns
        -------
        str or None
            ``None`` where the page may have none: it is asked for without a session, or by a script.
        """
        sessions: Sessions | None = getattr(request.app.state, "browser_sessions", None)
        name = sessions.name(request) if sessions else None
        if name is None or not navigated(request):
            return None
        return _PREFIX + self._sessions.add(name)

    def hub_token(self, request: Request, key: str) -> str | None:
        """The hub's token that `key` stands for, while both it and its session last."""
        sessions: Sessions | None = getattr(request.app.state, "browser_sessions", None)
        name = self._sessions.get(key.removeprefix(_PREFIX))
        return sessions.token_of(name) if sessions and name else None


def is_page_key(token: str) -> bool:
    """Whether `token` is a page's key, and not the hub's."""
    return token.startswith(_PREFIX)


def install_page_keys(app: FastAPI) -> None:
    """Let `app` have pages with scripts: their keys are known, and their requests are answered."""
    app.state.page_keys = PageKeys()
    # Inside the one that gives each request its id, which is exposed; cookies count for nothing over this.
    app.user_middleware.insert(
        1,
        Middleware(
            CORSMiddleware,
            allow_origins=["*"],
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
            max_age=600,
        ),
    )
