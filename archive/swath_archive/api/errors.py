"""The one table from what can go wrong to the status that says so."""

from __future__ import annotations

from swath_service.errors import SwathError

from swath_archive.domain import errors

STATUSES: dict[type[SwathError], int] = {
    errors.BadQuery: 400,
    errors.BadFile: 422,
    errors.BadMetadata: 422,
    errors.SourceUnavailable: 503,
    errors.ArchiveBroken: 503,
}
