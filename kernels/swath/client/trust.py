"""Whom this user trusts: the keys of each installation as they were first seen, and how far its log had come.

Trust on first use: what a hub tells of its keys the first time is kept, and from then on only what follows from it is
believed. The file holds no secret, and whoever can write it decides what is trusted: it is its owner's alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swath.client.credentials import Store
from swath.client.errors import SwathError
from swath.client.private_files import write_private_json
from swath.contract.envelopes import Envelope, Reason, Untrusted
from swath.contract.receipts import Checkpoint, check_checkpoint
from swath.contract.signing_keys import KeySet
from swath.signatures import verify


class Pins:
    """What is kept of each installation.

    Parameters
    ----------
    path
        The file; made with mode 0600, in a folder of mode 0700, when something is first kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls, environ: Mapping[str, str] = os.environ) -> Pins:
        """``trust.json`` beside the file of ``swath login``."""
        return cls(Store.default(environ).path.with_name("trust.json"))

    def origin_of(self, url: str) -> str | None:
        """The installation that was first seen at a hub's address."""
        found = self._read()["hubs"].get(url)
        return str(found) if found else None

    def keys_of(self, origin: str) -> KeySet | None:
        """The keys of an installation as they were last seen.

        Raises
        ------
        Untrusted
            What is kept was changed.
        """
        kept = self._read()["origins"].get(origin)
        return KeySet.from_dict(kept["keys"], verify) if kept else None

    def checkpoint_of(self, keys: KeySet) -> Checkpoint | None:
        """How far its log had come when it was last seen; raises `Untrusted` when what is kept was changed."""
        kept = self._read()["origins"].get(keys.origin) or {}
        if not kept.get("checkpoint"):
            return None
        envelope = Envelope.from_dict(kept["checkpoint"], "kept checkpoint")
        checkpoint = Checkpoint.from_envelope(envelope)
        known = any(key.id == envelope.keyid for key in keys.keys)
        if not known or checkpoint.origin != keys.origin:
            raise Untrusted(Reason.LOG_CHANGED, f"the checkpoint kept in {self.path} is not of {keys.origin}")
        # Its key may have been revoked since; what was seen was seen.
        verify(envelope, next(key for key in keys.keys if key.id == envelope.keyid))
        return checkpoint

    def keep_keys(self, url: str, keys: KeySet) -> None:
        """Trust these keys from now on, and at this address no others."""
        kept = self._read()
        kept["hubs"][url] = keys.origin
        former = kept["origins"].get(keys.origin) or {}
        kept["origins"][keys.origin] = {**former, "keys": keys.as_dict()}
        write_private_json(self.path, kept)

    def keep_checkpoint(self, keys: KeySet, checkpoint: Envelope) -> None:
        """Remember how far the log has come; it is believed already."""
        check_checkpoint(checkpoint, keys, verify)
        kept = self._read()
        kept["origins"].setdefault(keys.origin, {"keys": keys.as_dict()})["checkpoint"] = checkpoint.as_dict()
        write_private_json(self.path, kept)

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o022:
                    raise self._unfit("others may write it")
                kept = json.load(file)
        except FileNotFoundError:
            return {"version": 1, "hubs": {}, "origins": {}}
        except (ValueError, OSError) as error:
            raise self._unfit("it cannot be read") from error
        if not isinstance(kept, dict) or not all(isinstance(kept.get(name), dict) for name in ("hubs", "origins")):
            raise self._unfit("it is not what was written there")
        return kept

    def _unfit(self, why: str) -> SwathError:
        return SwathError(
            f"{self.path} says whose receipts are trusted, and {why}",
            code="pins-unfit",
            mend="delete it to begin anew; compare the keys' head with the operator then",
        )
