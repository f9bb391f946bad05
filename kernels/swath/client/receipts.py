"""Receipts as a caller holds them, and the doors where they, their log and their keys are."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swath.client.errors import Conflict
from swath.client.http import MARKETPLACE, Api, segment
from swath.contract.envelopes import Envelope
from swath.contract.receipts import Bundle
from swath.contract.signing_keys import KeySet
from swath.contract.statements import Statement
from swath.display import html_facts, time_text
from swath.signatures import verify

if TYPE_CHECKING:
    from swath.client.verifying import Verification

RECEIPTS = f"{MARKETPLACE}/receipts"


class Form(StrEnum):
    """What a receipt can be had as."""

    DSSE = "dsse"
    """The receipt itself: what `swath verify` checks."""
    PROV = "prov"
    """W3C PROV-JSON."""
    RO_CRATE = "ro-crate"
    """Metadata of a Process Run RO-Crate, to be put beside the outputs."""
    CDSE = "cdse"
    """A trace as the Copernicus Data Space Ecosystem's traceability service has them."""
    STAC = "stac"
    """A STAC Item of the outputs."""


class Receipt:
    """The receipt of a run: who made it, of what, with what, when and for how much, signed by the platform.

    Attributes
    ----------
    content
        The file, byte for byte. Nothing of it is believed until it was verified.
    """

    def __init__(self, api: Api, run_id: str, content: bytes) -> None:
        self._api = api
        self.run_id = run_id
        self.content = content

    @property
    def statement(self) -> Statement:
        """What it states; raises `swath.contract.envelopes.Untrusted` when it is not even of the form."""
        return Bundle.from_bytes(self.content).statement

    def verify(self) -> Verification:
        """Check signature, key, origin and log; what `swath verify` does."""
        from swath.client.verifying import verify_receipt

        return verify_receipt(self.content, api=self._api)

    def export(self, form: Form | str) -> bytes:
        """The receipt in another form."""
        return fetch(self._api, self.run_id, Form(form))

    def save(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> Path:
        """Save it as a file, by default ``<run>.receipt.json`` here, and return where it is.

        Raises
        ------
        Conflict
            Another file is there.
        """
        return save(self.content, Path(path or f"{self.run_id}.receipt.json"), overwrite=overwrite)

    def _facts(self) -> list[tuple[str, str]]:
        told = self.statement
        return [
            ("receipt of", told.run_id),
            ("algorithm", f"{told.algorithm}@{told.version}"),
            ("signed for", told.origin),
            ("finished", time_text(told.finished_at.isoformat())),
            ("inputs", str(len(told.inputs))),
            ("outputs", ", ".join(output.name for output in told.outputs)),
        ]

    def __repr__(self) -> str:
        return f"<Receipt of {self.run_id}, not verified>"

    def _repr_html_(self) -> str:
        return html_facts([*self._facts(), ("", "not verified: .verify()")])


def fetch(api: Api, run_id: str, form: Form = Form.DSSE) -> bytes:
    """The receipt of a run, byte for byte, or another form of it."""
    path = f"{MARKETPLACE}/runs/{segment(run_id)}/receipt"
    return api.request("GET", path if form is Form.DSSE else f"{path}/{form.value}").content


def fetch_keys(api: Api) -> KeySet:
    """The keys that the hub publishes, proved as far as they prove themselves; raises `Untrusted`."""
    return KeySet.from_bytes(api.request("GET", f"{RECEIPTS}/keys").content, verify)


def fetch_checkpoint(api: Api) -> Envelope:
    """The latest checkpoint of the log, not believed yet; raises `Untrusted` when it is none."""
    return Envelope.from_bytes(_canonical(api.json("GET", f"{RECEIPTS}/log/checkpoint")), "checkpoint")


def fetch_consistency(api: Api, *, first: int, second: int) -> Sequence[bytes]:
    """The proof that the log of `second` entries begins with that of `first`; a wrong one is found by its check."""
    told = api.json("GET", f"{RECEIPTS}/log/consistency", params={"from": first, "to": second})
    try:
        return [bytes.fromhex(step) for step in told["proof"]]
    except (KeyError, TypeError, ValueError) as error:
        raise api.not_swath(f"{RECEIPTS}/log/consistency", "did not answer with a proof") from error


def find(api: Api, sha256: str) -> Sequence[str]:
    """Runs of the caller's whose receipts have an output of that hash, the newest first."""
    told = api.json("GET", f"{RECEIPTS}/by-hash/{sha256}")
    return [str(one["run"]) for one in told.get("receipts", [])]


def change_keys(api: Api, *, reason: str, revoked: str | None = None) -> dict[str, Any]:
    """Rotate the signing key, or revoke one (operators)."""
    path = f"{RECEIPTS}/keys/rotate" if revoked is None else f"{RECEIPTS}/keys/{segment(revoked)}/revoke"
    told = api.json("POST", path, json={"reason": reason})
    return dict(told)


def save(content: bytes, path: Path, *, overwrite: bool = False) -> Path:
    """Write a file whole or not at all; the same bytes being there already is no error.

    Raises
    ------
    Conflict
        Another file is there.
    """
    if path.exists() and not overwrite and path.read_bytes() != content:
        raise Conflict(f"there is another file at {path}", code="file-exists", mend="give another path, or --force")
    beside = path.with_name(f".swath-{secrets.token_hex(8)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _canonical(value: Any) -> bytes:
    from swath.contract.digest import canonical_json

    try:
        return canonical_json(value)
    except ValueError:
        return json.dumps(str(value)).encode()
