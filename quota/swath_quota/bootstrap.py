"""Read the settings and choose what the service works with. The only place that does."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import Engine
from sqlalchemy.engine import URL
from swath_service.actor import Actor, ActorKind
from swath_service.actor import Scope as Scopes
from swath_service.app import serve
from swath_service.identity import HubIdentity, Identity
from swath_service.oauth import install_sign_in
from swath_service.rates import RateWindows, install_rates
from swath_service.settings import HubSettings

from swath_quota.api.app import make_app
from swath_quota.catalogue import CatalogueInvalid, load_prices, load_splits, load_tiers
from swath_quota.client.rates import StandingPolicies
from swath_quota.services.desk import Desk
from swath_quota.services.limits import standing
from swath_quota.store.engine import connect
from swath_quota.store.limits_sql import SqlLimits
from swath_quota.store.migrate import migrate
from swath_quota.store.quotes import SqlQuotes
from swath_quota.store.reports_sql import SqlReports
from swath_quota.store.sql import SqlBooks
from swath_quota.store.usage_sql import SqlMeters

#: Who asks for callers' rates at this service's own door.
_GATE = Actor(name="quota", kind=ActorKind.SERVICE, scopes=frozenset({Scopes.STANDING}))


class Settings(BaseSettings):
    """Settings of the quota service, from the environment."""

    model_config = SettingsConfigDict(env_prefix="SWATH_QUOTA_", extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SWATH_QUOTA_DATABASE_URL", "SWATH_DATABASE_URL"),
        repr=False,
    )
    """``sqlite:////path`` or ``postgresql+psycopg://…``; by default ``quota/quota.sqlite`` in the data folder."""
    data: Path = Field(
        default_factory=lambda: Path.home() / ".local/share/swath", validation_alias=AliasChoices("SWATH_DATA")
    )
    """Swath's data folder."""
    tiers_file: Path | None = None
    """A tier file of the operator's own."""
    prices_file: Path | None = None
    """A price file of the operator's own."""
    splits_file: Path | None = None
    """A split file of the operator's own: what part of added value is the author's."""
    sweep_seconds: float = Field(default=15, gt=0, le=3600)
    """How often overdue holds are voided."""
    rates_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("SWATH_QUOTA_RATES_URL", "SWATH_RATES_URL")
    )
    """``redis://…`` where several processes of this service count rates together; by default each counts alone."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    def url(self) -> str:
        """Where the ledger is kept."""
        if self.database_url:
            return self.database_url
        path = (self.data / "quota" / "quota.sqlite").absolute()
        return URL.create("sqlite", database=str(path)).render_as_string()


class SettingsInvalid(RuntimeError):
    """A setting is not what it must be; the message names each, and no value."""


def read_settings() -> Settings:
    """The settings in the environment.

    Raises
    ------
    SettingsInvalid
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsInvalid("settings SWATH_QUOTA_…: " + "; ".join(faults)) from None


def open_engine(settings: Settings) -> Engine:
    """The ledger's database at the schema of this code."""
    engine = connect(settings.url())
    migrate(engine)
    return engine


def make_desk(settings: Settings, engine: Engine) -> Desk:
    """Books, tiers and prices.

    Raises
    ------
    CatalogueInvalid
        A file is not what its schema says, or wallets are in a tier that the tier file no longer names.
    """
    books = SqlBooks(engine)
    tiers = load_tiers(settings.tiers_file)
    gone = books.read(lambda reader: reader.tiers_in_use()) - tiers.names()
    if gone:
        raise CatalogueInvalid(
            f"wallets are in tiers that the tier file no longer names: {', '.join(sorted(gone))};"
            " name them again, or put those wallets into another tier first"
        )
    return Desk(
        books=books,
        tiers=tiers,
        prices=load_prices(settings.prices_file),
        meters=SqlMeters(engine),
        limits=SqlLimits(engine),
        quotes=SqlQuotes(engine),
        splits=load_splits(settings.splits_file),
        reports_over=SqlReports(engine),
    )


def build(settings: Settings, *, identity: Identity, prefix: str) -> FastAPI:
    """The whole service."""
    desk = make_desk(settings, open_engine(settings))
    app = make_app(desk=desk, identity=identity, prefix=prefix, sweep_seconds=settings.sweep_seconds)
    policies = StandingPolicies(lambda name: standing(_GATE, desk, account=name))
    install_rates(app, policies=policies, prefix=prefix, windows=RateWindows(settings.rates_url))
    return app


def main() -> None:
    """Serve, as JupyterHub's environment says."""
    settings, hub = read_settings(), HubSettings.from_environment()
    app = build(settings, identity=HubIdentity(api_url=hub.api_url), prefix=hub.prefix)
    install_sign_in(app)
    serve(app, service="quota", host=hub.host, port=hub.port, log_level=settings.log_level)
