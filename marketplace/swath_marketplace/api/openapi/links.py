"""Doors of links that show a run to who has them."""

from __future__ import annotations

from datetime import datetime

from swath_marketplace.api.openapi.door import Door, Word
from swath_marketplace.api.openapi.runs import Run


class Share(Word):
    """A link that shows a run."""

    id: str
    run: str
    created_at: datetime
    expires_at: datetime | None


class NewShare(Share):
    """A link with its address, which is told once."""

    href: str


class Shares(Word):
    """The links of a run that hold."""

    shares: list[Share]


DOORS = {
    "POST runs/{run_id}/shares": Door(
        id="share_run", answer=NewShare, leads={"list_shares": "run_id=run", "unshare_run": "share_id=id"}
    ),
    "GET runs/{run_id}/shares": Door(id="list_shares", answer=Shares),
    "DELETE runs/{run_id}/shares/{share_id}": Door(id="unshare_run"),
    "GET shared/{secret}": Door(id="get_shared_run", answer=Run),
    "GET shared/{secret}/log": Door(id="get_shared_log", answer="text/plain", refusals=(410,)),
    "GET shared/{secret}/events": Door(id="follow_shared_run", answer="text/event-stream"),
    "GET shared/{secret}/results/{name}": Door(
        id="get_shared_result",
        answer="*/*",
        also={206: "Parts of it.", 304: "Had."},
        refusals=(409, 410, 416),
    ),
}
