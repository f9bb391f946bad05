"""What an operator can set."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urljoin

import psutil
from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL
from swath_sandbox import Allow

from swath_marketplace.domain.addresses import OutgoingRules
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.shares import Rules


class Settings(BaseSettings):
    """Settings of the marketplace, from the environment."""

    model_config = SettingsConfigDict(env_prefix="SWATH_MARKETPLACE_", extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SWATH_MARKETPLACE_DATABASE_URL", "SWATH_DATABASE_URL"),
        repr=False,
    )
    """``sqlite:////path`` or ``postgresql+psycopg://…``; by default in the data folder."""
    data: Path = Field(
        default_factory=lambda: Path.home() / ".local/share/swath", validation_alias=AliasChoices("SWATH_DATA")
    )
    """Swath's data folder."""
    public_url: str = Field(
        default="",
        max_length=1000,
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        validation_alias=AliasChoices("SWATH_MARKETPLACE_PUBLIC_URL", "SWATH_URL"),
    )
    """Where people and programs reach this Swath: ``https://swath.example.org/``. By default what `swath up` tells."""
    quota_url: str = Field(
        default="http://127.0.0.1:8001/services/quota/", validation_alias=AliasChoices("SWATH_QUOTA_URL")
    )
    archive: Path | None = Field(
        default=None, validation_alias=AliasChoices("SWATH_MARKETPLACE_ARCHIVE", "SWATH_ARCHIVE")
    )
    """Folder that runs see as ``/archive``; by default ``archive`` in the data folder."""
    slots_cpus: float | None = Field(default=None, gt=0)
    """Processor cores that runs may take together; by default all."""
    slots_memory_mb: int | None = Field(default=None, gt=0)
    """Memory that runs may take together; by default three quarters of the machine's."""
    runs_per_caller: int = Field(default=2, ge=1)
    """Most runs of one caller at a time, where the caller's tier says nothing."""
    share_half_life_hours: float = Field(default=168, gt=0)
    """After so long what a caller took of the machine counts half in the order of the queue."""
    aging_hours: float = Field(default=24, ge=0)
    """A caller who waited so long, and got nothing since, is served before all others."""
    checkpoint_grace_seconds: float = Field(default=30, ge=0, le=3600)
    """From the request to checkpoint, when a run's credits end, to its stop; what is held covers it."""
    file_hashes: Path | None = None
    """Where hashes of files that did not change are remembered; by default in the data folder. A cache."""
    run_disk_mb: int = Field(default=10_240, ge=1)
    """Most that one run may write."""
    comparer_environment: str = "eo"
    """Environment whose library compares results; where it is not built, the first one that is."""
    comparer_memory_mb: int = Field(default=2048, ge=256)
    """Most that one comparison may take; it stands beside the slots of runs."""
    comparer_seconds: float = Field(default=180, gt=0, le=3600)
    """Most that the comparison of one output may take."""
    lease_seconds: float = Field(default=15, gt=0, le=600)
    """How long a run waits for a reconciler that went silent."""
    allow_no_bwrap: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_NO_BWRAP"))
    allow_no_cgroups: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_NO_CGROUPS"))
    allow_dask_runs: bool = Field(default=False, validation_alias=AliasChoices("SWATH_ALLOW_DASK_RUNS"))
    """Whether versions that ask for Dask may be published; their runs share the machine's network, without a token."""
    rates_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("SWATH_MARKETPLACE_RATES_URL", "SWATH_RATES_URL")
    )
    """``redis://…`` where several processes of this service count rates together; by default each counts alone."""
    benchmark_hours: float = Field(default=24, ge=0, le=24 * 30)
    """After so long each listed version's scenarios are run again; 0: only when its author or an operator asks."""
    benchmark_keep_days: float = Field(default=7, ge=0, le=3650)
    """How long the outputs of benchmarks' runs are kept; those that an open break shows are kept until it is closed."""
    benchmark_delay_minutes: float = Field(default=5, ge=0, le=24 * 60)
    """After its start the service waits so long before it looks which versions are due."""
    results_days: float = Field(default=90, ge=0, le=36_500)
    """How long the files of a run are kept after its end, where its caller's tier says nothing (``results.days``)."""
    ogc_sync_seconds: float = Field(default=900, ge=0, le=86_400)
    """OGC API - Processes: versions that may run no longer can be executed synchronously, and so long is waited."""
    criteria: Path | None = None
    """A criteria file of one's own for maturity; by default the newest that comes with Swath."""
    reviewers: str = Field(default="", max_length=10_000)
    """Names, with commas between, of users whose reviews count, besides operators'."""
    reports_per_day: int = Field(default=10, ge=1, le=1000)
    """Most reports that one user makes within a day."""
    marks_raise: bool = False
    """Whether an operator's mark may raise a version's level above what its evidence shows."""
    export_keep_days: float = Field(default=7, gt=0, le=365)
    """How long the archive of an exported account is kept to be fetched."""
    import_max_mb: int = Field(default=10_240, ge=1, le=1_048_576)
    """The largest archive of an account that is taken; unpacked it may be twice that."""
    outgoing_networks: str = Field(default="", max_length=10_000)
    """Networks, with commas between, that webhooks and callbacks may lead to though they are not public."""
    outgoing_ports: str = Field(default="80,443,8080,8443", max_length=1000)
    """Ports they may lead to; ranges as ``8000-8999``."""
    outgoing_http: bool = False
    """Whether they may lead to http, where whoever is on the way reads along."""
    outgoing_authorities: Path | None = None
    """A file of certificate authorities that are trusted there, beside the usual ones."""
    wait_seconds: float = Field(default=60, ge=0, le=600)
    """The longest that ``Prefer: wait`` waits for the end of a run."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("outgoing_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        OutgoingRules.of(networks=value, ports="443", allow_http=False)
        return value

    @field_validator("outgoing_ports")
    @classmethod
    def _ports(cls, value: str) -> str:
        OutgoingRules.of(networks="", ports=value, allow_http=False)
        return value

    @field_validator("outgoing_authorities")
    @classmethod
    def _authorities(cls, value: Path | None) -> Path | None:
        # This process works in a folder of its own: what began where the operator stood would be looked for elsewhere,
        # and missed by the first message only.
        if value is not None and not (value.is_absolute() and value.is_file()):
            raise ValueError("it has to be the whole path of a file that is there")
        return value

    def url(self) -> str:
        """Where algorithms and runs are kept."""
        if self.database_url:
            return self.database_url
        path = (self.data / "marketplace" / "marketplace.sqlite").absolute()
        return URL.create("sqlite", database=str(path)).render_as_string()

    def service_url(self, prefix: str) -> str:
        """Where the service below `prefix` is reached, without a last slash; empty where that is not known."""
        return urljoin(self.public_url, prefix).rstrip("/") if self.public_url else ""

    def file_hashes_path(self) -> Path:
        """Where hashes of files are remembered."""
        return (self.file_hashes or self.data / "cache" / "file-hashes.sqlite").absolute()

    def allow(self) -> frozenset[Allow]:
        """What the operator gave up of the sandbox."""
        given = {Allow.NO_BWRAP: self.allow_no_bwrap, Allow.NO_CGROUPS: self.allow_no_cgroups}
        return frozenset(allow for allow, wanted in given.items() if wanted)

    def reviewer_names(self) -> frozenset[str]:
        """Whose reviews count, besides operators'."""
        return frozenset(name for one in self.reviewers.split(",") if (name := one.strip()))

    def outgoing(self) -> OutgoingRules:
        """Where webhooks and callbacks may lead to."""
        return OutgoingRules.of(
            networks=self.outgoing_networks, ports=self.outgoing_ports, allow_http=self.outgoing_http
        )

    def rules(self) -> Rules:
        """How fairness counts."""
        return Rules(half_life_seconds=self.share_half_life_hours * 3600, aging_seconds=self.aging_hours * 3600)

    def slots(self) -> Slots:
        """What of the machine runs may take together."""
        memory_mb = self.slots_memory_mb or int(psutil.virtual_memory().total * 0.75) >> 20
        return Slots(
            cpus=self.slots_cpus or float(os.cpu_count() or 1), memory_mb=memory_mb, per_caller=self.runs_per_caller
        )
