"""What messages to webhooks are signed with: secrets that follow from one key in a file, and are stored nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
import threading
from datetime import datetime
from pathlib import Path

from standardwebhooks import Webhook as Signer

from swath_marketplace.domain.hooks import Webhook

_BYTES = 32


class SecretsUnfit(RuntimeError):
    """The key's file cannot be made or read, or others may read it."""


class HookSecrets:
    """The secret of each webhook: an HMAC, under the key, of its id and the number of the secret.

    A copy of the database thus tells nobody how to sign, and a secret that was shown once can be used ever after.

    Parameters
    ----------
    path
        The key; made with mode 0600 when it is not there. Services that share a database share it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: bytes | None = None

    def secret(self, webhook_id: str, number: int) -> str:
        """``whsec_`` and 32 bytes in base64, as the standard-webhooks scheme writes a secret."""
        made = self.derived(f"webhook\n{webhook_id}\n{number}".encode())
        return f"whsec_{base64.b64encode(made).decode()}"

    def signature(self, webhook: Webhook, *, message_id: str, at: datetime, body: str) -> str:
        """The header ``webhook-signature``: while a rotation lasts, by both secrets."""
        signers = (Signer(self.secret(webhook.id, number)) for number in webhook.secret_numbers(at))
        return " ".join(signer.sign(message_id, at, body) for signer in signers)

    def derived(self, what: bytes) -> bytes:
        """32 bytes that follow from the key and `what`, and tell nothing of either.

        Raises
        ------
        SecretsUnfit
        """
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return hmac.new(self._known, what, hashlib.sha256).digest()

    def _read(self) -> bytes:
        try:
            self._make()
            with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if not stat.S_ISREG(mode) or mode & 0o077:
                    raise SecretsUnfit("others may read the key of webhooks: chmod 600 its file if nobody did")
                key = file.read(1 << 10)
        except OSError as error:
            raise SecretsUnfit(f"the key of webhooks cannot be made or read: {error.strerror}") from error
        if len(key) != _BYTES:
            raise SecretsUnfit("the key of webhooks is not whole: put its file back from a backup")
        return key

    def _make(self) -> None:
        """Whole or not at all; of two processes that start together the first one's key stands."""
        if self._path.exists():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, self._path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
