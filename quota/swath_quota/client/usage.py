"""Metering, as other rooms see it: the promises, and how they are kept over HTTP and without a service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from swath_service.actor import Actor

from swath_quota import services
from swath_quota.client.wire import Json, moment, settlement_of
from swath_quota.domain.holds import HoldStatus, PurposeKind, Settlement
from swath_quota.domain.meters import EventResult, Outcome, Progress, UsageAnswer, UsagePage
from swath_quota.domain.usage import Fault, UsageEvent
from swath_quota.services.desk import Desk


class UsageClient(Protocol):
    """What a room that runs things for others may say of what they use."""

    def report_usage(self, events: Sequence[UsageEvent]) -> UsageAnswer:
        """Append 1 to 500 events, all or nothing. Idempotent by their ids: make and persist them before.

        Values are cumulative per meter, and the largest ever reported stands: events that are lost, late, doubled or
        out of order change nothing. One hold has one meter. What comes after its hold was settled is kept and counts
        no more (`EventResult.late`).

        Raises
        ------
        UsageEventDiffers
            An id or number is taken by another event, or the hold has another meter.
        Invalid
            Among others, for holds that nobody placed.
        """
        ...

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement:
        """End a hold by what was used in all, cumulative like every event's.

        The service prices it by the list frozen in the hold and captures that, at most what is held;
        `Fault.PLATFORM` releases all. A replay answers the same settlement. Where the hold ended otherwise before, it
        answers how: look at the status.

        Raises
        ------
        UsageEventDiffers
            It was settled before with another usage or fault.
        NoSuchHold
        """
        ...

    def progress(self, hold_id: str) -> Progress:
        """What a hold pays for so far, what that costs, and how long the hold lasts at the present rate.

        Raises
        ------
        NoSuchHold
        """
        ...

    def usage(self, account: str, *, limit: int = 50, before: str | None = None) -> UsagePage:
        """A page of what the holds of a user paid for, newest first: at most `limit` (to 200)."""
        ...


class HttpUsage:
    """`UsageClient` over HTTP."""

    @abstractmethod
    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Json:
        """The object that was asked for."""

    def report_usage(self, events: Sequence[UsageEvent]) -> UsageAnswer:
        return _answer_of(self._ask("POST", "usage", body={"events": list(map(event_body, events))}))

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement:
        body = {"usage": dict(usage), "fault": str(fault)}
        return settlement_of(self._ask("POST", f"holds/{quote(hold_id, safe='')}/settle", body=body))

    def progress(self, hold_id: str) -> Progress:
        return _progress_of(self._ask("GET", f"holds/{quote(hold_id, safe='')}/usage"))

    def usage(self, account: str, *, limit: int = 50, before: str | None = None) -> UsagePage:
        query: dict[str, str | int] = {"account": account, "limit": limit}
        if before is not None:
            query["before"] = before
        found = self._ask("GET", "usage", query=query)
        return UsagePage(
            account=found["account"],
            meters=tuple(map(_progress_of, found["meters"])),
            next_before=found["next_before"],
        )


class FakeUsage:
    """`UsageClient` by the service's own rules."""

    _actor: Actor

    @property
    @abstractmethod
    def _desk(self) -> Desk: ...

    def report_usage(self, events: Sequence[UsageEvent]) -> UsageAnswer:
        return services.report_usage(self._actor, self._desk, events=events)

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement:
        return services.settle(self._actor, self._desk, hold_id=hold_id, usage=usage, fault=fault)

    def progress(self, hold_id: str) -> Progress:
        return services.progress(self._actor, self._desk, hold_id=hold_id)

    def usage(self, account: str, *, limit: int = 50, before: str | None = None) -> UsagePage:
        return services.usage_page(self._actor, self._desk, account=account, limit=limit, before=before)

    def sweep_meters(self) -> int:
        """Settle what is metered and overdue or final, as the service does in the background."""
        return services.sweep_meters(self._actor, self._desk)


def event_body(event: UsageEvent) -> dict[str, Any]:
    """An event as the service takes it."""
    return {
        "id": event.id,
        "meter": event.meter,
        "hold_id": event.hold_id,
        "account": event.account,
        "kind": str(event.kind),
        "sequence": event.sequence,
        "usage": dict(event.usage),
        "final": event.final,
        "at": event.at.isoformat(),
    }


def _answer_of(data: Json) -> UsageAnswer:
    return UsageAnswer(
        results=tuple(
            EventResult(
                id=result["id"],
                outcome=Outcome(result["outcome"]),
                decreasing=result["decreasing"],
                late=result["late"],
            )
            for result in data["results"]
        )
    )


def _progress_of(data: Json) -> Progress:
    first, last = data["first_seen_at"], data["last_seen_at"]
    return Progress(
        hold_id=data["hold_id"],
        meter=data["meter"],
        account=data["account"],
        kind=PurposeKind(data["kind"]),
        reference=data["reference"],
        status=HoldStatus(data["status"]),
        usage=dict(data["usage"]),
        final=data["final"],
        amount=data["amount"],
        cost=data["cost"],
        share=data["share"],
        rate_per_hour=data["rate_per_hour"],
        seconds_left=data["seconds_left"],
        price_version=data["price_version"],
        first_seen_at=moment(first) if first else None,
        last_seen_at=moment(last) if last else None,
    )
