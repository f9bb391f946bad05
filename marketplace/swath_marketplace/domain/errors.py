"""Errors of this room that a program inside it branches on; `api.errors` gives each its status."""

from __future__ import annotations

from swath_service.errors import Conflict, Gone, Invalid, Refused


class VersionExists(Conflict):
    """The version's number is taken by another content."""


class VersionYanked(Conflict):
    """The version was yanked; it starts no more runs."""


class VersionRevoked(Conflict):
    """The version was revoked; it does not run any more."""


class EnvironmentGone(Conflict):
    """The locked environment that a version was published with is not here any more."""


class NotMature(Conflict):
    """No version of the algorithm is mature enough for what is asked."""


class NothingToBenchmark(Conflict):
    """The version has no scenarios."""


class TooManyRounds(Conflict):
    """The algorithm has had its rounds of a day."""


class TooManyReports(Conflict):
    """The caller has had their reports of a day."""


class ReportAnswered(Conflict):
    """The report has its answer already."""


class BumpTooSmall(Invalid):
    """The change of the interface asks for a larger step of the version."""


class KeyReused(Invalid):
    """An idempotency key came back with another request."""


class KeyInUse(Conflict):
    """The first request with this idempotency key is not answered yet."""


class AddressRefused(Invalid):
    """Nothing is sent to that address: it is private, or not of a kind that is sent to."""


class TooManyWebhooks(Conflict):
    """The user has as many webhooks as one may have."""


class RunRefused(Refused):
    """The wallet would not hold the run's price."""


class RunNotTerminal(Conflict):
    """Something is asked that only an ended run has."""


class RunNotFinished(Conflict):
    """Something is asked that only a finished run has."""


class ResultsExpired(Gone):
    """The files of a run were kept as long as its caller's tier says, and are gone."""


class AccountBusy(Conflict):
    """Another import of the same account goes on."""


class ExportNotReady(Conflict):
    """The archive that is asked for is being made."""


class LeaseLost(Exception):
    """Another reconciler has taken the run over; whoever meets this writes nothing more about it."""
