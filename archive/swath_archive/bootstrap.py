"""Read the settings and choose what the service works with. The only place that does."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL
from swath_service.app import serve
from swath_service.identity import HubIdentity, Identity
from swath_service.oauth import install_sign_in
from swath_service.rate_policies import PolicySource
from swath_service.rate_sources import DEFAULT, CachedPolicies, over_http
from swath_service.rates import RateWindows, install_rates, policies_of
from swath_service.settings import HubSettings

from swath_archive.api.app import make_app
from swath_archive.services.query import Archive
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.engine import connect
from swath_archive.store.index import Index
from swath_archive.store.migrate import migrate


class Settings(BaseSettings):
    """Settings of the archive service, from the environment."""

    model_config = SettingsConfigDict(env_prefix="SWATH_ARCHIVE_", extra="ignore", hide_input_in_errors=True)

    data: Path = Field(
        default_factory=lambda: Path.home() / ".local/share/swath", validation_alias=AliasChoices("SWATH_DATA")
    )
    """Swath's data folder."""
    root: Path | None = Field(default=None, validation_alias=AliasChoices("SWATH_ARCHIVE_ROOT", "SWATH_ARCHIVE"))
    """Folder of the catalogue; by default ``archive`` in the data folder."""
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SWATH_ARCHIVE_DATABASE_URL", "SWATH_DATABASE_URL"),
        repr=False,
    )
    """``sqlite:////path`` or ``postgresql+psycopg://…``; by default a file in the data folder's ``archive-index``."""
    quota_url: str | None = Field(default=None, validation_alias=AliasChoices("SWATH_QUOTA_URL"))
    """Where callers' rates are asked for."""
    rates_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("SWATH_ARCHIVE_RATES_URL", "SWATH_RATES_URL")
    )
    """``redis://…`` where several processes of this service count rates together; by default each counts alone."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    def folder(self) -> Path:
        """Where the catalogue lies."""
        return self.root or self.data / "archive"

    def url(self) -> str:
        """Where the index is kept: not in the catalogue's folder, which every sandbox sees."""
        if self.database_url:
            return self.database_url
        path = (self.data / "archive-index" / "index.sqlite").absolute()
        return URL.create("sqlite", database=str(path)).render_as_string()


def build(settings: Settings, *, identity: Identity, prefix: str, policies: PolicySource | None = None) -> FastAPI:
    """The whole service, its index fresh.

    Parameters
    ----------
    policies
        Who tells callers' rates; by default everybody has the same.
    """
    engine = connect(settings.url())
    migrate(engine)
    index = Index(engine, Catalogue(settings.folder()))
    index.refresh()
    app = make_app(archive=Archive(index=index, root=settings.folder()), identity=identity, prefix=prefix)
    install_rates(
        app, policies=policies or policies_of(DEFAULT), prefix=prefix, windows=RateWindows(settings.rates_url)
    )
    return app


def main() -> None:
    """Serve, as JupyterHub's environment says."""
    settings, hub = Settings(), HubSettings.from_environment()
    # Over HTTP and by no client of quota's: the archive knows no other room.
    policies = CachedPolicies(over_http(settings.quota_url, hub.api_token)) if settings.quota_url else None
    app = build(settings, identity=HubIdentity(api_url=hub.api_url), prefix=hub.prefix, policies=policies)
    install_sign_in(app)
    serve(app, service="archive", host=hub.host, port=hub.port, log_level=settings.log_level)
