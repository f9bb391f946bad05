"""Secrets of one copy: generated once, readable by its operator alone, never a default."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from swath_hub.errors import OperatorError


def kept(path: Path, generate: Callable[[], str]) -> str:
    """The secret in `path`, generated first when there is none.

    Raises
    ------
    OperatorError
        The file can be read by others, or is empty.
    """
    value = generate()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
    try:
        # A link fails when the name exists: of two that generate at once, one wins and both read the same value.
        os.link(beside, path)
    except FileExistsError:
        value = path.read_text().strip()
    finally:
        beside.unlink()
    if path.stat().st_mode & 0o077:
        raise OperatorError(
            code="secret-exposed",
            message=f"{path} can be read by other users of this machine",
            mend=f"chmod 600 {path}; if somebody may have read it, delete it: a new one is generated",
        )
    if not value:
        raise OperatorError(
            code="secret-empty", message=f"{path} is empty", mend="delete it: a new one is generated at the next start"
        )
    return value


def cookie_secret(folder: Path) -> bytes:
    """Key of the sign-in cookies; deleting its file signs everybody out."""
    return bytes.fromhex(kept(folder / "cookie-secret", lambda: secrets.token_hex(32)))


def proxy_token(folder: Path) -> str:
    """Token of the proxy's API."""
    return kept(folder / "proxy-token", lambda: secrets.token_hex(32))


def dask_proxy_token(folder: Path) -> str:
    """Token of the Dask proxy's routes."""
    return kept(folder / "dask-proxy-token", lambda: secrets.token_hex(32))


def dask_database_key(folder: Path) -> str:
    """Key that encrypts the clusters' TLS keys in Dask Gateway's database."""
    return kept(folder / "dask-database-key", lambda: base64.b64encode(secrets.token_bytes(32)).decode())


def lab_quota_token(folder: Path) -> str:
    """Token with which the hub itself holds and settles for JupyterLab servers."""
    return kept(folder / "lab-quota-token", lambda: secrets.token_hex(32))


def passphrase() -> str:
    """100 random bits that can be read out and typed: four groups of five, without look-alikes."""
    alphabet = "abcdefghjkmnpqrstvwxyz0123456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))
