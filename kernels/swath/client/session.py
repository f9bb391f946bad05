"""Signing in, and the connection that the functions of `swath` share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swath.client.credentials import Credentials, Store, checked_token, checked_url, find
from swath.client.errors import Forbidden, NotSignedIn, Unreachable
from swath.client.http import HUB, Api

#: What a token needs for everything that a user does. `swath.client` knows the words, not the services' code.
USER_SCOPES = ("custom:swath:read", "custom:swath:publish", "custom:swath:execute")

_lock = threading.Lock()
_current: Api | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom the hub takes the caller for."""

    name: str
    url: str
    source: str
    """Where the token came from."""
    admin: bool
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    """What the token allows of Swath."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the token does not allow of what a user may do."""
        return () if "custom:swath:administer" in self.scopes else tuple(s for s in USER_SCOPES if s not in self.scopes)

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "name": self.name,
            "url": self.url,
            "source": self.source,
            "admin": self.admin,
            "groups": list(self.groups),
            "scopes": list(self.scopes),
            "lacking": list(self.lacking),
        }

    def __str__(self) -> str:
        text = f"{self.name} at {self.url} (token from {self.source})"
        return text + (f"; the token lacks {', '.join(self.lacking)}" if self.lacking else "")


def connection() -> Api:
    """The connection of this process; a new one when the credentials have changed, e.g. after ``swath login``."""
    global _current  # noqa: PLW0603 - one pool of connections a process
    credentials = find()
    with _lock:
        if _current is None or _current.credentials != credentials:
            # The former one is not closed: a run that is being followed may still use it.
            _current = Api(credentials)
        return _current


def whoami(api: Api) -> Identity:
    """Ask the hub who the token belongs to.

    Raises
    ------
    NotSignedIn
        The hub does not know the token.
    Unreachable
        Nothing answers there, or it is not a hub.
    """
    try:
        model = api.json("GET", f"{HUB}/user")
    except Forbidden as error:
        # JupyterHub's word for a token it does not know; anybody's own name may be asked.
        raise NotSignedIn(
            f"{api.url} does not know the token from {api.credentials.source}",
            code="unknown-token",
            mend=f"it may have expired or been revoked; make a new one at {api.url}hub/token "
            f"and run `swath login {api.url}`",
            status=403,
        ) from error
    if not isinstance(model, Mapping) or not isinstance(model.get("name"), str):
        raise api.not_swath(f"{HUB}/user", "did not answer with a user")
    return Identity(
        name=str(model["name"]),
        url=api.url,
        source=api.credentials.source,
        admin=bool(model.get("admin")),
        groups=tuple(map(str, model.get("groups") or ())),
        scopes=tuple(sorted(s for s in map(str, model.get("scopes") or ()) if s.startswith("custom:swath:"))),
    )


def sign_in(url: str, token: str, *, insecure: bool = False, store: Store | None = None) -> Identity:
    """Check a token with the hub and keep it for later; a token that does not work is not kept.

    Raises
    ------
    Invalid
        The address or the token cannot be one, or the token would go over a network unencrypted.
    NotSignedIn, Unreachable
        The hub does not know the token, or is not there.
    """
    credentials = Credentials(
        url=checked_url(url, insecure=insecure),
        token=checked_token(token),
        source="what was just given",
        insecure=insecure,
    )
    api = Api(credentials)
    try:
        identity = whoami(api)
    except NotSignedIn as error:
        error.message = f"{credentials.url} does not know this token"
        error.mend = f"make a new one at {credentials.url}hub/token"
        raise
    finally:
        api.close()
    kept = store or Store.default()
    kept.keep(credentials, user=identity.name)
    return Identity(**{**vars(identity), "source": str(kept.path)})


def reachable(url: str, *, insecure: bool = False) -> str:
    """The address of the hub in its one form, after making sure, without any token, that a JupyterHub answers there."""
    import httpx

    checked = checked_url(url, insecure=insecure)
    try:
        answer = httpx.get(f"{checked}{HUB}/", timeout=10, trust_env=checked.startswith("https:"))
        told = answer.json() if answer.status_code == 200 else None
    except ValueError:
        told = None
    except httpx.TransportError as error:
        certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
        raise Unreachable(
            f"the certificate of {checked} cannot be verified" if certificate else f"nothing answers at {checked}",
            code="bad-certificate" if certificate else "no-connection",
            mend="check the address, and that Swath runs there (`swath up`)",
        ) from error
    if not isinstance(told, dict) or "version" not in told:
        raise Unreachable(
            f"what answers at {checked} is not a hub",
            code="not-swath",
            mend="give the hub's public address, the part before /hub/ in the browser",
        )
    return checked
