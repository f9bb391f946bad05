"""Tokens of one's own, one for each purpose: with what it allows, until when, and when it was used last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from swath.client.errors import Forbidden, Invalid, NotFound
from swath.client.http import HUB, Api, segment

PREFIX = "custom:swath:"
#: What a user may ask for, by the short word. Each lets its holder read, too: who may run may see the run.
SCOPES = ("read", "execute", "publish")
#: The services that a token may talk to.
_SERVICES = ("quota", "marketplace", "archive")
DEFAULT_DAYS = 90
_LONGEST_PURPOSE = 120
_DAY_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as the hub tells of it; the token itself is told once, when it is made."""

    id: str
    purpose: str
    scopes: tuple[str, ...]
    """What it allows of Swath, by the short words."""
    created_at: str | None
    expires_at: str | None
    """``None``: never."""
    last_used_at: str | None
    secret: str | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON object; the secret only where it is known."""
        told = {name: value for name, value in vars(self).items() if name != "secret"}
        return {**told, "scopes": list(self.scopes), **({"token": self.secret} if self.secret else {})}


def create(api: Api, *, purpose: str, scopes: Sequence[str] = ("read",), days: int = DEFAULT_DAYS) -> Token:
    """Make a token that allows `scopes`, and reading, for so many days.

    Raises
    ------
    Invalid
        The purpose is empty, a scope unknown, or the days are none that the operator allows.
    Forbidden
        The token that is signed in with may make no others.
    """
    purpose = purpose.strip()
    unknown = sorted(set(scopes) - set(SCOPES))
    if not purpose or len(purpose) > _LONGEST_PURPOSE or not purpose.isprintable():
        raise Invalid(
            f"a purpose is 1 to {_LONGEST_PURPOSE} printable characters",
            code="bad-purpose",
            mend='say what uses the token, such as --purpose "nightly NDVI"',
        )
    if unknown:
        raise Invalid(
            f"there is no scope {unknown[0]!r}", code="bad-scope", mend=f"use one or more of: {', '.join(SCOPES)}"
        )
    if days < 1:
        raise Invalid("a token lasts at least a day", code="bad-days", mend="give --days 1 or more")
    wanted = sorted({PREFIX + "read", *(PREFIX + scope for scope in scopes)})
    body = {
        "note": purpose,
        "scopes": [*wanted, *(f"access:services!service={name}" for name in _SERVICES)],
        "expires_in": days * _DAY_SECONDS,
    }
    try:
        return _token(api.json("POST", _path(api), json=body))
    except Forbidden as error:
        error.message = f"this token (from {api.credentials.source}) may make no others: {error.message}"
        error.mend = f"sign in with one made at {api.url}hub/token without choosing scopes, or make the new one there"
        raise
    except Invalid as error:
        error.mend = error.mend or "ask for fewer days, or for scopes that you have yourself (`swath whoami`)"
        raise


def list_tokens(api: Api) -> list[Token]:
    """Every token of the caller's, those used last first; those of browsers and JupyterLab servers are among them."""
    found = [_token(one) for one in api.json("GET", _path(api)).get("api_tokens", [])]
    return sorted(found, key=lambda one: one.last_used_at or one.created_at or "", reverse=True)


def revoke(api: Api, wanted: str) -> Token:
    """End the token with this id or purpose. Services that saw it lately believe it for up to half a minute more.

    Raises
    ------
    NotFound
        There is none, or several are for that purpose.
    """
    tokens = list_tokens(api)
    found = [one for one in tokens if one.id == wanted] or [one for one in tokens if one.purpose == wanted]
    if len(found) != 1:
        raise NotFound(
            f"{len(found)} of your tokens are for {wanted!r}" if found else f"you have no token {wanted!r}",
            code="no-such-token" if not found else "several-tokens",
            mend="name one by its id, as `swath token list` shows it",
        )
    api.request("DELETE", f"{_path(api)}/{segment(found[0].id)}")
    return found[0]


def is_over(token: Token, *, now: datetime | None = None) -> bool:
    """Whether `token` has expired."""
    if token.expires_at is None:
        return False
    return datetime.fromisoformat(token.expires_at) <= (now or datetime.now(UTC))


def _path(api: Api) -> str:
    return f"{HUB}/users/{segment(str(api.json('GET', f'{HUB}/user')['name']))}/tokens"


def _token(model: Mapping[str, Any]) -> Token:
    scopes = {str(scope).partition("!")[0] for scope in model.get("scopes") or ()}
    return Token(
        id=str(model["id"]),
        purpose=str(model.get("note") or ""),
        scopes=tuple(sorted(scope.removeprefix(PREFIX) for scope in scopes if scope.startswith(PREFIX))),
        created_at=model.get("created"),
        expires_at=model.get("expires_at"),
        last_used_at=model.get("last_activity"),
        secret=model.get("token"),
    )
