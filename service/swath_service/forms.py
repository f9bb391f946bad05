"""Forms that act: a button of a page does one thing, once, for the person whom the page was shown to.

A session's cookie only reads (`swath_service.oauth`): where all users share an origin, a script that runs in a page of
somebody's Lab server could use it. A form that acts therefore carries an authority of its own: a token that stands for
its person and one action, for a while, once. No script can read it: a page with such a form has an origin of its own
(``Pages.render(sandboxed=True)``), and it is given only to a browser that goes to the page, not to one that fetches it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from swath_service.actor import Actor
from swath_service.errors import Forbidden
from swath_service.identity import Identity
from swath_service.kept import Kept
from swath_service.navigation import navigated
from swath_service.oauth import BrowserSessions

FORM_SECONDS = 3600


@dataclass(frozen=True)
class _Permit:
    hub_token: str
    action: str


class FormTokens:
    """Authorities of the forms of one service, kept in its process: a restart asks people to load the page again."""

    def __init__(self) -> None:
        self._permits: Kept[_Permit] = Kept(FORM_SECONDS)

    def issue(self, request: Request, action: str) -> str | None:
        """A token for `action` (method and path), to be put into a form of a sandboxed page.

        Returns
        -------
        str or None
            ``None`` where the page may have no form: it is asked for without a session, or by a script.
        """
        sessions: BrowserSessions | None = getattr(request.app.state, "browser_sessions", None)
        hub_token = sessions.token(request) if sessions else None
        if hub_token is None or not navigated(request):
            return None
        return self._permits.add(_Permit(hub_token=hub_token, action=action))

    async def redeem(self, request: Request, token: str, action: str) -> Actor:
        """Who may do `action` by `token`, which is used up.

        Raises
        ------
        Forbidden
            The token is unknown, used, too old, or another action's; or its owner was signed out meanwhile.
        """
        permit = self._permits.pop(token) if token else None
        identity: Identity = request.app.state.identity
        actor = await identity.actor_for(permit.hub_token) if permit and permit.action == action else None
        if actor is None:
            raise Forbidden(
                code="form-expired",
                message="this form was used before, or is too old",
                mend="load the page again and press its button once; nothing was done",
            )
        return actor
