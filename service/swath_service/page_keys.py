"""Pages with scripts: an authority for one page, which no script of another page can get at.

A session's cookie only reads (`swath_service.oauth`): all users share an origin, and a Lab server's page may run
anybody's script. A page whose own scripts act has an origin of its own (``Pages.render(scripts=…)``), where no cookie
counts; it carries a key that stands for its person's session. The key is given only to a browser that goes to the page
(`swath_service.navigation`), never to a script that fetches it, and its answer can be read by no other page. The
scripts send it as ``Authorization: Bearer swath-page-…`` and are, to the service, another origin: hence CORS, without
credentials.

A page may be open for longer than its key lasts. Its scripts exchange the key that stands in the document at once, once
and for a secret that they make up: from then on whoever has the secret gets further keys, while the session lasts.
What was saved, copied or seen of the document is worth nothing a minute later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Body, FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from swath_service.errors import Unauthenticated
from swath_service.kept import Kept
from swath_service.navigation import navigated

KEY_SECONDS = 3600
#: The longest that one page gets further keys; its session ends before, as a rule.
PAGE_SECONDS = 24 * 3600
#: How long the key of the document is good after its exchange: for requests that are under way.
GRACE_SECONDS = 60
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


class People(Protocol):
    """Who is behind a token of the hub (`swath_service.identity.Identity`)."""

    async def actor_for(self, token: str) -> Any:
        """``None`` for a token that nobody has any more."""
        ...


@dataclass
class _Page:
    """One page in somebody's browser."""

    session: str
    """Of a session, not of its token: who signs out takes the keys along."""
    secret: str | None = None
    """What its scripts renew with, once they have said so."""
    over: bool = False


class PageKeys:
    """Keys of the pages of one service, kept in its process: a restart asks people to sign in again.

    Parameters
    ----------
    key_seconds
        How long one key lasts.
    """

    def __init__(self, *, key_seconds: float = KEY_SECONDS) -> None:
        self._key_seconds = key_seconds
        self._keys: Kept[_Page] = Kept(key_seconds)
        self._pages: Kept[_Page] = Kept(PAGE_SECONDS)

    def issue(self, request: Request) -> str | None:
        """A key for the page that `request` asks for.

        Returns
        -------
        str or None
            ``None`` where the page may have none: it is asked for without a session, or by a script.
        """
        sessions = _sessions_of(request)
        name = sessions.name(request) if sessions else None
        if name is None or not navigated(request):
            return None
        return _PREFIX + self._keys.add(_Page(session=name))

    def hub_token(self, request: Request, key: str) -> str | None:
        """The hub's token that `key` stands for, while both it and its session last."""
        return _token_of(request, self._keys.get(key.removeprefix(_PREFIX)))

    async def renew(self, request: Request, key: str, *, secret: str) -> tuple[str, float]:
        """Another key for the page that knows `secret`, and the seconds that it lasts.

        The first time, `key` says which page that is, and is good for `GRACE_SECONDS` more. Where a second one comes
        with that key and another secret, one of the two is not the page: neither gets anything any more. Asked again
        with the same secret, such as after a lost answer, it answers again.

        Raises
        ------
        Unauthenticated
            Nobody's secret or key, or the sign-in behind them is over.
        """
        page = self._pages.get(secret) or self._bound(key.removeprefix(_PREFIX), secret)
        token = _token_of(request, page)
        people: People = request.app.state.identity
        if page is None or token is None or await people.actor_for(token) is None:
            raise Unauthenticated(
                code="page-over", message="your sign-in is over, or this page is", mend="sign in and open it again"
            )
        return _PREFIX + self._keys.add(page), self._key_seconds

    def _bound(self, name: str, secret: str) -> _Page | None:
        """The page with the key of that name, whose secret this is from now on."""
        page = self._keys.get(name)
        if page is None:
            return None
        if page.secret is not None:
            page.over = True
            return None
        page.secret = secret
        self._pages.put(secret, page)
        self._keys.shorten(name, GRACE_SECONDS)
        return page


def _sessions_of(request: Request) -> Sessions | None:
    sessions: Sessions | None = getattr(request.app.state, "browser_sessions", None)
    return sessions


def _token_of(request: Request, page: _Page | None) -> str | None:
    sessions = _sessions_of(request)
    return sessions.token_of(page.session) if sessions and page and not page.over else None


def is_page_key(token: str) -> bool:
    """Whether `token` is a page's key, and not the hub's."""
    return token.startswith(_PREFIX)


def install_page_keys(app: FastAPI, *, prefix: str) -> None:
    """Let `app` have pages with scripts: their keys are known and renewed, and their requests are answered."""
    app.state.page_keys = PageKeys()
    app.add_api_route(f"{prefix.rstrip('/')}/page-key", _renew, methods=["POST"], include_in_schema=False)
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


async def _renew(
    request: Request, secret: Annotated[str, Body(embed=True, pattern=r"^[A-Za-z0-9_-]{43}$")]
) -> dict[str, Any]:
    """A further key for a page that is open."""
    keys: PageKeys = request.app.state.page_keys
    key, seconds = await keys.renew(request, request.headers.get("authorization", "").partition(" ")[2], secret=secret)
    return {"key": key, "seconds": seconds}
