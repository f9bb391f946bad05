"""Who sees an algorithm that an operator has hidden: its author, operators, and the platform itself."""

from __future__ import annotations

from dataclasses import dataclass

from swath_service.actor import Actor, ActorKind

from swath_marketplace.domain.runs import PLATFORM


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """For whom a list is made."""

    sees_all: bool = False
    owner: str | None = None
    """Whose own hidden algorithms are in it."""

    def sees(self, owner: str) -> bool:
        """Whether what `owner` has published is seen when it is hidden."""
        return self.sees_all or self.owner == owner


#: Somebody of whom nothing is known: what is hidden is not there.
ANYBODY = Viewer()


def viewer_of(actor: Actor) -> Viewer:
    """What `actor` sees of what is hidden."""
    is_platform = actor.kind is ActorKind.SERVICE and actor.name == PLATFORM
    return Viewer(sees_all=actor.oversees or is_platform, owner=actor.name if actor.kind is ActorKind.USER else None)
