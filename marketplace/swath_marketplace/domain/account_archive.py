"""What stands in an account's archive: the documents beside its files, as one Swath writes and another reads them.

Levels are not in it: they follow from evidence, which is, and each place earns its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORMAT = "swath-account-1"
INDEX = "account.json"
KEYS = "keys.json"
SEAL = "seal.json"
SEAL_TYPE = "application/vnd.swath.account-seal.v1+json"

#: Read by the validator that `services.exit.documents` makes: a member that is not known is a fault, not passed over.
_STRICT: Mapping[str, Any] = {"extra": "forbid", "hide_input_in_errors": True}


def object_path(sha256: str) -> str:
    """Where a file stands that several documents may name."""
    return f"objects/{sha256}"


def version_folder(name: str, version: str) -> str:
    """The folder of a version's files."""
    return f"algorithms/{name}/{version}"


def run_folder(run_id: str) -> str:
    """The folder of a run's files."""
    return f"runs/{run_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginPlace:
    """The installation that an archive comes from."""

    __pydantic_config__ = _STRICT

    installation: str
    """``urn:swath:installation:<uuid>``; its keys are in ``keys.json``."""
    software: str
    """Version of Swath."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedDossier:
    """One state of the files beside a version."""

    __pydantic_config__ = _STRICT

    sequence: int
    digest: str
    files: Mapping[str, str]
    """Path -> sha256; the contents are ``objects/<sha256>``."""
    put_by: str
    put_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedVersion:
    """One version; ``notebook.ipynb`` and ``evidence.json`` stand in its folder."""

    __pydantic_config__ = _STRICT

    version: str
    digest: str
    """``sha256:<hex>`` over notebook, interface and environment lock: the same everywhere."""
    notebook_sha256: str
    interface: Mapping[str, Any]
    metadata: Mapping[str, Any]
    resources: Mapping[str, Any]
    environment: str
    environment_lock_sha256: str
    published_at: datetime
    yanked_at: datetime | None = None
    yank_reason: str | None = None
    revoked_at: datetime | None = None
    revoked_reason: str | None = None
    """Why an operator of the origin has it run no more; nor does it elsewhere."""
    dossiers: tuple[ArchivedDossier, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedAlgorithm:
    """An algorithm of the account's."""

    __pydantic_config__ = _STRICT

    name: str
    created_at: datetime
    versions: tuple[ArchivedVersion, ...]
    prices: tuple[Mapping[str, Any], ...] = ()
    """Each that was set, in that order. Told, not set anew: credits are another thing elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedOutput:
    """A file that a run made."""

    __pydantic_config__ = _STRICT

    name: str
    media_type: str
    bytes: int
    sha256: str
    description: str = ""
    kept: bool = True
    """Whether its file was still there: ``results/<name>`` in the run's folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedRun:
    """A run that the account called, and that has ended; ``run.json`` in its folder.

    Beside it ``receipt.json`` and ``events.jsonl`` where there are such, and the outputs' files under ``results/``.
    """

    __pydantic_config__ = _STRICT

    id: str
    algorithm: str
    """``owner/name`` at the origin."""
    version: str
    digest: str
    purpose: str
    status: str
    parameters: Mapping[str, Any]
    resources: Mapping[str, Any]
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    quote_millicredits: int = 0
    cost_millicredits: int | None = None
    budget_millicredits: int | None = None
    outputs: tuple[ArchivedOutput, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    environment: Mapping[str, Any] | None = None
    """What was installed when it started; inventories stand under ``inventories/<sha256>.json``."""
    observation: Mapping[str, Any] | None = None
    changes: tuple[Mapping[str, Any], ...] = ()
    """Each change of its status, with its time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountDocument:
    """``account.json``: the index of everything else."""

    __pydantic_config__ = _STRICT

    format: str
    exported_at: datetime
    origin: OriginPlace
    user: str
    algorithms: tuple[ArchivedAlgorithm, ...] = ()
    reviews_given: tuple[Mapping[str, Any], ...] = ()
    runs: tuple[str, ...] = ()
    """Their ids."""
    wallet: Mapping[str, Any] | None = None
    """What ``wallet.json`` holds of it, or why it is not there."""
    sections: Mapping[str, Any] | None = None
    """What else belongs to the account, by name: ``favourites``, ``follows``, ``webhooks`` without their secrets."""
    left_out: tuple[str, ...] = ()
    """What of the account is not in it, a sentence each, with the reason."""
