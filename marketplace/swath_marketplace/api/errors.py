"""The one table from what can go wrong to the status that says so."""

from __future__ import annotations

from swath_service.errors import SwathError

from swath_marketplace.domain import errors

STATUSES: dict[type[SwathError], int] = {
    errors.RunRefused: 402,
    errors.VersionExists: 409,
    errors.VersionYanked: 409,
    errors.VersionRevoked: 409,
    errors.EnvironmentGone: 409,
    errors.NotMature: 409,
    errors.NothingToBenchmark: 409,
    errors.TooManyRounds: 409,
    errors.TooManyReports: 409,
    errors.ReportAnswered: 409,
    errors.AccountBusy: 409,
    errors.ExportNotReady: 409,
    errors.RunNotTerminal: 409,
    errors.RunNotFinished: 409,
    errors.ResultsExpired: 410,
    errors.BumpTooSmall: 422,
    errors.KeyReused: 422,
    errors.KeyInUse: 409,
    errors.TooManyWebhooks: 409,
    errors.AddressRefused: 422,
}
