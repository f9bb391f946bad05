"""Sign-in for people in a browser: JupyterHub's OAuth code flow, then a session that only reads.

A cookie is sent by a browser whoever made it ask. It therefore stands for its owner at ``GET`` and ``HEAD`` alone; what
changes something needs a token in the header (`swath_service.identity.current_actor`). The session is kept here, the
cookie holds its name: the hub's token never reaches the browser.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from swath_service.actor import Actor
from swath_service.errors import Forbidden, Invalid, Unauthenticated, Unavailable
from swath_service.identity import Identity, current_actor, token_of
from swath_service.kept import Kept
from swath_service.settings import SettingMissing

SESSION_SECONDS = 8 * 3600
_SIGN_IN_SECONDS = 600


class SignInNeeded(Unauthenticated):
    """A person without a session asked for a page; the browser is sent to the hub and comes back to it."""

    def __init__(self, location: str) -> None:
        super().__init__(
            code="sign-in-needed",
            message="this page needs a signed-in user",
            mend="open it in a browser, or send a token in the Authorization header",
        )
        self.location = location


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """What JupyterHub tells a managed service about signing in."""

    name: str
    prefix: str
    client_id: str
    authorize_url: str
    """Where the browser goes."""
    token_url: str
    """Where this process exchanges the code."""
    callback: str
    secret: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> OAuthSettings:
        """Read ``JUPYTERHUB_SERVICE_NAME``, ``_SERVICE_PREFIX``, ``_CLIENT_ID``, ``_API_URL``, ``_API_TOKEN``.

        Raises
        ------
        SettingMissing
            Naming the variable that is not set.
        """
        names = ("SERVICE_NAME", "SERVICE_PREFIX", "CLIENT_ID", "API_URL", "API_TOKEN")
        values = {name: os.environ.get(f"JUPYTERHUB_{name}", "") for name in names}
        if missing := [f"JUPYTERHUB_{name}" for name, value in values.items() if not value]:
            raise SettingMissing(f"not set: {', '.join(missing)}; a service is started by JupyterHub (`swath up`)")
        host = os.environ.get("JUPYTERHUB_HOST", "")
        base = os.environ.get("JUPYTERHUB_BASE_URL", "/")
        prefix = values["SERVICE_PREFIX"].rstrip("/") + "/"
        return cls(
            name=values["SERVICE_NAME"],
            prefix=prefix,
            client_id=values["CLIENT_ID"],
            authorize_url=f"{host}{base}hub/api/oauth2/authorize",
            token_url=f"{values['API_URL'].rstrip('/')}/oauth2/token",
            callback=f"{prefix}oauth_callback",
            secret=values["API_TOKEN"],
        )


@dataclass(frozen=True)
class _Attempt:
    verifier: str
    next: str


class BrowserSessions:
    """Sign-in, sign-out and sessions of one service.

    Parameters
    ----------
    settings
        Where the hub is and what this service is called there.
    transport
        For tests without sockets.
    """

    def __init__(self, settings: OAuthSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._attempts: Kept[_Attempt] = Kept(_SIGN_IN_SECONDS)
        self._sessions: Kept[str] = Kept(SESSION_SECONDS)
        self._session_cookie = f"swath-{settings.name}-session"
        self._state_cookie = f"swath-{settings.name}-sign-in"

    def install(self, app: FastAPI) -> None:
        """Add ``oauth_login``, ``oauth_callback`` and ``logout`` below the prefix, and make `browser_actor` work."""
        app.state.browser_sessions = self
        router = APIRouter(prefix=self._settings.prefix.rstrip("/"), include_in_schema=False)
        router.add_api_route("/oauth_login", self._login, methods=["GET"])
        router.add_api_route("/oauth_callback", self._callback, methods=["GET"])
        router.add_api_route("/logout", self._logout, methods=["POST"])
        app.include_router(router)

        @app.exception_handler(SignInNeeded)
        async def _to_sign_in(_: Request, error: SignInNeeded) -> Response:
            return RedirectResponse(error.location, status_code=302, headers={"Cache-Control": "no-store"})

    async def actor(self, request: Request) -> Actor | None:
        """Who the request's session stands for; ``None`` when it has none, or the hub signed its owner out."""
        token = self.token(request)
        if token is None:
            return None
        identity: Identity = request.app.state.identity
        actor = await identity.actor_for(token)
        if actor is None:
            self._sessions.pop(request.cookies.get(self._session_cookie, ""))
        return actor

    def token(self, request: Request) -> str | None:
        """The hub's token of the request's session."""
        name = self.name(request)
        return self.token_of(name) if name else None

    def name(self, request: Request) -> str | None:
        """The name of the request's session, while it lasts."""
        name = request.cookies.get(self._session_cookie, "")
        return name if name and self.token_of(name) else None

    def token_of(self, name: str) -> str | None:
        """The hub's token of the session of that name, while it lasts."""
        return self._sessions.get(name)

    def sign_in_location(self, request: Request) -> str:
        """Address that signs a browser in and brings it back to what it asked for."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return f"{self._settings.prefix}oauth_login?{urlencode({'next': path})}"

    async def _login(self, request: Request, next: str = "") -> Response:
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        state = self._attempts.add(_Attempt(verifier=verifier, next=self._own_path(next)))
        query = {
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.callback,
            "response_type": "code",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        response = RedirectResponse(f"{self._settings.authorize_url}?{urlencode(query)}", status_code=302)
        self._set_cookie(request, response, self._state_cookie, value=state, seconds=_SIGN_IN_SECONDS)
        return response

    async def _callback(self, request: Request, code: str = "", state: str = "", error: str = "") -> Response:
        expected = request.cookies.get(self._state_cookie, "")
        # The cookie ties the answer to the browser that asked: nobody can be signed in as somebody else by a link.
        if not state or not secrets.compare_digest(state.encode(), expected.encode()):
            raise Invalid(
                code="sign-in-state",
                message="this sign-in was not begun in this browser, or is over",
                mend=f"begin again at {self._settings.prefix}",
            )
        attempt = self._attempts.pop(state)
        if attempt is None:
            raise Invalid(
                code="sign-in-state",
                message="this sign-in took too long, or was used before",
                mend=f"begin again at {self._settings.prefix}",
            )
        if error or not code:
            raise Forbidden(
                code="sign-in-refused",
                message="JupyterHub did not allow the sign-in",
                mend="ask an operator whether you may use this service",
            )
        session = self._sessions.add(await self._exchange(code, attempt.verifier))
        response = RedirectResponse(attempt.next, status_code=302, headers={"Cache-Control": "no-store"})
        response.delete_cookie(self._state_cookie, path=self._settings.prefix)
        self._set_cookie(request, response, self._session_cookie, value=session, seconds=SESSION_SECONDS)
        return response

    async def _exchange(self, code: str, verifier: str) -> str:
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.callback,
            "code_verifier": verifier,
        }
        async with httpx.AsyncClient(timeout=10, trust_env=False, transport=self._transport) as client:
            try:
                answer = await client.post(self._settings.token_url, data=form)
            except httpx.TransportError as error:
                raise Unavailable(
                    code="hub-unreachable", message="JupyterHub does not answer", mend="try again in a few seconds"
                ) from error
        token = answer.json().get("access_token") if answer.status_code == 200 else None
        if not isinstance(token, str) or not token:
            raise Forbidden(
                code="sign-in-refused",
                message="JupyterHub did not accept the sign-in",
                mend=f"begin again at {self._settings.prefix}",
            )
        return token

    async def _logout(self, request: Request) -> Response:
        # Only one of our own pages may sign somebody out.
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise Forbidden(code="cross-site", message="a page of another site can't sign you out")
        self._sessions.pop(request.cookies.get(self._session_cookie, ""))
        response = RedirectResponse(self._settings.prefix, status_code=303)
        response.delete_cookie(self._session_cookie, path=self._settings.prefix)
        return response

    def _own_path(self, path: str) -> str:
        """`path` when it is one of this service's pages, else its first page: no link may lead a browser elsewhere."""
        odd = any(ord(letter) < 33 or letter == "\\" for letter in path) or "//" in path.partition("?")[0]
        return path if path.startswith(self._settings.prefix) and not odd else self._settings.prefix

    def _set_cookie(self, request: Request, response: Response, name: str, *, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._settings.prefix,
            httponly=True,
            samesite="lax",
            secure=request.headers.get("x-forwarded-proto", request.url.scheme).startswith("https"),
        )


def install_sign_in(app: FastAPI) -> None:
    """Let people sign in to `app` with a browser, where the environment tells of a hub that can; else tokens only."""
    try:
        settings = OAuthSettings.from_environment()
    except SettingMissing:
        return
    BrowserSessions(settings).install(app)


async def browser_actor(request: Request) -> Actor:
    """FastAPI dependency: the caller by token in the header, or by a browser's session at ``GET`` and ``HEAD``.

    Raises
    ------
    SignInNeeded
        A browser asked for a page without a session; it is sent to sign in.
    Unauthenticated
        Anybody else without a token, or with one that the hub does not know.
    """
    if token_of(request) is not None or request.method not in {"GET", "HEAD"}:
        return await current_actor(request)
    sessions: BrowserSessions | None = getattr(request.app.state, "browser_sessions", None)
    if sessions is None:
        return await current_actor(request)
    actor = await sessions.actor(request)
    if actor is not None:
        return actor
    if "text/html" in request.headers.get("accept", ""):
        raise SignInNeeded(sessions.sign_in_location(request))
    return await current_actor(request)
