"""A receipt of a run as it is kept, and the entry of the log that it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swath.contract.envelopes import Envelope
from swath.contract.statements import StatedEnvironment, StatedInput, StatedOutput, Statement

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.runs import Run, RunStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What was signed about a run. Appended, never changed."""

    run_id: str
    sequence: int
    """1 for the first; a further one is made when the key of the one before was revoked. The latest counts."""
    log_index: int
    """Number of its entry in the log, from 0."""
    key_id: str
    envelope: Envelope
    leaf_sha256: str
    """Hash of its leaf in the log's tree, hexadecimal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A receipt that is signed and not in the log yet."""

    run_id: str
    sequence: int
    envelope: Envelope
    outputs: Sequence[StatedOutput]
    key_events: int
    """How many key events there were when it was signed; with more it may be signed with the wrong key."""


def statement_of(
    run: Run, version: AlgorithmVersion, *, origin: str, executor: str, software: Mapping[str, str]
) -> Statement:
    """What there is to state about a finished run. Of the same run always the same.

    Raises
    ------
    ValueError
        The run did not finish, or `version` is not the one that it ran.
    """
    ended_at = run.ended_at
    if not run.terminal or run.status is not RunStatus.FINISHED or ended_at is None or run.cost_millicredits is None:
        raise ValueError("only a finished run has a receipt")
    if version.digest != run.digest:
        raise ValueError("a receipt names the version that ran")
    return Statement(
        origin=origin,
        run_id=run.id,
        algorithm=f"{run.owner}/{run.name}",
        version=run.version,
        version_sha256=run.digest.removeprefix("sha256:"),
        notebook_sha256=version.notebook_sha256,
        environment=environment_of(run, version),
        parameters=run.parameters,
        caller=run.caller,
        executor=executor,
        resources=run.resources.as_dict(),
        inputs=tuple(_input(read) for read in run.inputs),
        outputs=tuple(
            StatedOutput(name=one.name, sha256=one.sha256, media_type=one.media_type, bytes=one.bytes)
            for one in run.outputs
        ),
        started_at=run.started_at or run.created_at,
        finished_at=ended_at,
        usage=run.usage.as_dict() if run.usage else {},
        cost_millicredits=run.cost_millicredits,
        software=software,
    )


def environment_of(run: Run, version: AlgorithmVersion) -> StatedEnvironment:
    """The environment of a run: its lock, by which it was built, and what was found installed when the run started."""
    found = {**(run.environment or {}), "changed": "true" if (run.environment or {}).get("changed") else None}
    told = ("inventory_sha256", "python", "changed", "inventory_at_end_sha256")
    return StatedEnvironment(
        name=version.environment,
        lock_sha256=version.environment_lock_sha256.removeprefix("sha256:"),
        about={name: found[name] for name in told if isinstance(found.get(name), str)},
    )


def _input(read: Mapping[str, Any]) -> StatedInput:
    sha256 = read.get("sha256")
    return StatedInput(
        sha256=sha256 if isinstance(sha256, str) and _is_sha256(sha256) else None,
        about={
            # Annotations are words and numbers.
            name: "true" if value is True else value
            for name, value in read.items()
            if isinstance(value, str | int) and value is not False and name != "sha256"
        },
    )


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")
