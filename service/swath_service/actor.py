"""The one who asks: the first argument of every service function, so that no handler can forget authorisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swath_service.errors import Forbidden


class Scope(StrEnum):
    """Swath's custom JupyterHub scopes. The Hub grants them; the services enforce them."""

    READ = "custom:swath:read"
    """See listed algorithms, own runs and results, own wallet."""
    PUBLISH = "custom:swath:publish"
    """Publish and yank versions of one's own algorithms."""
    EXECUTE = "custom:swath:execute"
    """Start and cancel runs that one's wallet pays for."""
    ADMINISTER = "custom:swath:administer"
    """Act on anybody's algorithms, runs and wallets."""
    OVERSEE = "custom:swath:oversee"
    """See anybody's wallet, and change nothing: what an operator's session in a browser may."""
    LEDGER = "custom:swath:ledger"
    """Hold, capture and release on anybody's wallet. For Swath's own services only; no user role carries it."""

    STANDING = "custom:swath:standing"
    """See anybody's limits and how full they are. For Swath's own services that keep them; no user role carries it."""


class ActorKind(StrEnum):
    """Whether a person or a program of the platform is asking."""

    USER = "user"
    SERVICE = "service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """An authenticated caller."""

    name: str
    """JupyterHub's name of the user or service."""
    kind: ActorKind = ActorKind.USER
    scopes: frozenset[str] = frozenset()
    """Expanded scopes of the token that was presented, not of the user behind it."""
    groups: frozenset[str] = frozenset()

    def may(self, scope: Scope) -> bool:
        """Whether the token carries `scope`; `custom:swath:administer` implies every scope but the ledger's."""
        if scope in self.scopes:
            return True
        return scope is not Scope.LEDGER and Scope.ADMINISTER in self.scopes

    def require(self, scope: Scope) -> None:
        """Refuse the caller unless the token carries `scope`.

        Raises
        ------
        Forbidden
            Naming the missing scope and how to get a token that has it.
        """
        if not self.may(scope):
            raise Forbidden(
                code="missing-scope",
                message=f"this token does not carry the scope {scope.value!r}",
                mend="make one that has it with `swath token create` or at /hub/token, or ask an operator for it",
            )

    @property
    def is_operator(self) -> bool:
        """Whether the caller may act on what belongs to others."""
        return Scope.ADMINISTER in self.scopes

    @property
    def oversees(self) -> bool:
        """Whether the caller may see what belongs to others."""
        return self.may(Scope.OVERSEE)
