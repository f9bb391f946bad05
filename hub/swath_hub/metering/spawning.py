"""What makes a spawner's servers metered; for any kind of spawner."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

from jupyterhub.utils import maybe_future
from swath_service.errors import SwathError, Unavailable

from swath_hub.metering import words
from swath_hub.metering.ceilings import excess
from swath_hub.metering.hubside import LabMetering
from swath_hub.metering.port import Standing
from swath_hub.metering.teller import Refused
from swath_hub.metering.usage import Reserved


class MeteredSpawner:
    """Mix in before the spawner's class: ``class MySpawner(MeteredSpawner, KubeSpawner)``.

    A kind of spawner says what its servers reserve (`metered_size`) and how a gauge finds them (`metered_handle`); it
    tells `metered_as` before it starts one.
    """

    user: Any
    name: str
    log: Any

    @abstractmethod
    def metered_size(self) -> tuple[str, Reserved]:
        """Title and size of what is chosen."""

    @abstractmethod
    def metered_handle(self) -> dict[str, str]:
        """How the running server is found."""

    @property
    def metering(self) -> LabMetering | None:
        """The hub's metering; ``None`` where there is no hub, as in tests of a spawner alone."""
        app = self.user.settings.get("app") if self.user is not None else None
        return LabMetering.of(app) if app is not None else None

    async def run_pre_spawn_hook(self) -> None:
        """Hold the first hour and look at limits; then the operator's own hook.

        Not a `pre_spawn_hook` itself: an operator who sets one would turn enforcement off without knowing.

        Raises
        ------
        jupyterhub.spawner.SpawnException
            With what is needed, left, when it fits, and what would help.
        """
        metering = self.metering
        if metering is not None and metering.keeper is not None:
            await self._admit(metering)
        await maybe_future(super().run_pre_spawn_hook())  # type: ignore[misc]

    async def _admit(self, metering: LabMetering) -> None:
        keeper = metering.keeper
        assert keeper is not None
        user, page = self.user.name, metering.quota_page
        title, reserved = self.metered_size()
        try:
            standing = await keeper.standing(user)
        except Unavailable:
            if not metering.spawn_without_quota:
                raise words.silent(quota_page=page) from None
            standing = None
        except SwathError as error:
            self.log.error("The limits of %s can't be asked for: %s", user, error)
            raise words.silent(quota_page=page) from error
        if standing is not None:
            others = keeper.reserved(user, but=self.name)
            if over := excess(reserved, others, lambda name: _hard(standing, name)):
                raise words.too_many(over, title=title, quota_page=page)
        try:
            answer = await keeper.admit(
                user, self.name, title=title, reserved=reserved, unpaid=metering.spawn_without_quota
            )
        except SwathError as error:
            if not isinstance(error, Unavailable):
                self.log.error("Credits for the server of %s can't be held: %s", user, error)
            raise words.silent(quota_page=page) from error
        if isinstance(answer, Refused):
            raise words.refused(answer.refusal, title=title, needed=answer.needed, quota_page=page)

    async def run_post_stop_hook(self) -> None:
        """Settle; then the operator's own hook."""
        metering = self.metering
        if metering is not None and metering.keeper is not None:
            try:
                # JupyterHub keeps the future of a start until it has succeeded.
                await metering.keeper.ended((self.user.name, self.name), failed=self._spawn_future is not None)  # type: ignore[attr-defined]
            except Exception:
                self.log.exception("The server of %s is settled later", self.user.name)
        await maybe_future(super().run_post_stop_hook())  # type: ignore[misc]

    async def metered_as(self, handle: dict[str, str]) -> None:
        """Say how the server that is about to start will be found."""
        metering = self.metering
        if metering is not None and metering.keeper is not None:
            await metering.keeper.handle((self.user.name, self.name), handle)

    async def stopped_box(self) -> str:
        """HTML that says why the last server was stopped; empty when nothing is to be said."""
        metering = self.metering
        return await asyncio.to_thread(metering.stopped_box, self.user.name, self.name) if metering else ""

    async def forget_stop(self) -> None:
        """A start has succeeded: what happened to the last server is no news."""
        if (metering := self.metering) is not None:
            await asyncio.to_thread(metering.stops.forget, self.user.name, self.name)


def _hard(standing: Standing, name: str) -> int | None:
    state = standing.limit(name)
    return None if state is None else state.hard
