"""What can be wrong with a file or with the archive; `swath_archive.api.errors` gives each a status."""

from __future__ import annotations

from swath_service.errors import Invalid, SwathError, Unavailable


class BadQuery(Invalid):
    """A search that says something impossible; `findings` names every fault."""


class BadFile(Invalid):
    """A file that cannot become an item; `findings` names every fault."""


class BadMetadata(Invalid):
    """STAC metadata that does not validate."""


class SourceUnavailable(Unavailable):
    """Data that were to be fetched or read cannot be had."""


class ArchiveBroken(SwathError):
    """The catalogue on disk is not what this program wrote."""
