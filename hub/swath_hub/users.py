"""The local users: one file, hashes only, changed by the hub and by the operator's command at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swath_hub.errors import OperatorError
from swath_hub.names import check_name
from swath_hub.secret import passphrase
from swath_hub.state import write_whole

PASSCODE_SECONDS = 24 * 3600
SHORTEST_PASSWORD = 12
# OWASP's scrypt setting of 2024 with the least memory per guess that it still names: 2^15 * 8 * 128 = 32 MB, ~80 ms.
_N, _R, _P = 2**15, 8, 3
_VERSION = 1


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=64 * 2**20, dklen=32)


@dataclass
class LocalUser:
    """One user as stored. All secrets of a user share one salt, so that a sign-in costs one hash whatever he has."""

    name: str
    admin: bool = False
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    password: str | None = None
    passcodes: list[dict[str, Any]] = field(default_factory=list)
    """Each ``{"hash", "expires_at"}`` (seconds since 1970), removed when used."""

    def as_dict(self) -> dict[str, Any]:
        return {"admin": self.admin, "salt": self.salt, "password": self.password, "passcodes": self.passcodes}


class UserFile:
    """The users of one copy.

    Every change is read, made and written under one lock, so that of two sign-ins with the same one-time passcode
    exactly one succeeds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nobody = LocalUser(name="", salt=secrets.token_hex(16))

    def list(self) -> list[LocalUser]:
        """All users by name."""
        return sorted(self._read().values(), key=lambda user: user.name)

    def get(self, name: str) -> LocalUser | None:
        return self._read().get(name)

    def add(self, name: str, *, admin: bool = False) -> bool:
        """Add a user; tell whether there was none of that name (then `admin` is left as it was)."""
        check_name(name)
        with self._changed() as users:
            if name in users:
                return False
            users[name] = LocalUser(name=name, admin=admin)
        return True

    def remove(self, name: str) -> None:
        """Remove a user, who is signed out within a minute; the home stays."""
        with self._changed() as users:
            self._known(users, name)
            del users[name]

    def set_password(self, name: str, password: str) -> None:
        """Give a user a lasting password."""
        if len(password) < SHORTEST_PASSWORD:
            raise OperatorError(
                code="short-password",
                message=f"a password has at least {SHORTEST_PASSWORD} characters",
                mend="a sentence is easier to keep in mind than a riddle",
            )
        with self._changed() as users:
            user = self._known(users, name)
            user.password = _hash(password, bytes.fromhex(user.salt)).hex()

    def new_passcode(self, name: str, *, seconds: int = PASSCODE_SECONDS) -> str:
        """A one-time password for `name`, which is stored as its hash alone."""
        passcode = passphrase()
        with self._changed() as users:
            user = self._known(users, name)
            now = time.time()
            user.passcodes = [kept for kept in user.passcodes if kept["expires_at"] > now]
            digest = _hash(passcode, bytes.fromhex(user.salt)).hex()
            user.passcodes.append({"hash": digest, "expires_at": int(now + seconds)})
        return passcode

    def verify(self, name: str, secret: str) -> LocalUser | None:
        """The user, when `secret` is his password or one of his unused passcodes, which is used up by this.

        Takes as long for a name that nobody has.
        """
        user = self._read().get(name)
        digest = _hash(secret, bytes.fromhex((user or self._nobody).salt)).hex()
        if user is None:
            return None
        if user.password is not None and hmac.compare_digest(user.password, digest):
            return user
        return user if self._use_up(name, digest) else None

    def _use_up(self, name: str, digest: str) -> bool:
        with self._changed() as users:
            user = users.get(name)
            if user is None:
                return False
            now = time.time()
            matching = [kept for kept in user.passcodes if hmac.compare_digest(str(kept["hash"]), digest)]
            user.passcodes = [kept for kept in user.passcodes if kept not in matching and kept["expires_at"] > now]
            return any(kept["expires_at"] > now for kept in matching)

    @staticmethod
    def _known(users: dict[str, LocalUser], name: str) -> LocalUser:
        if name not in users:
            raise OperatorError(
                code="no-such-user", message=f"there is no user {name!r}", mend=f"`swath user add {name}` adds one"
            )
        return users[name]

    @contextmanager
    def _changed(self) -> Iterator[dict[str, LocalUser]]:
        with open(self._path.with_suffix(".lock"), "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            users = self._read()
            before = _document(users)
            yield users
            after = _document(users)
            if after != before or not self._path.exists():
                write_whole(self._path, after)

    def _read(self) -> dict[str, LocalUser]:
        try:
            stored = json.loads(self._path.read_text())
            if stored["version"] != _VERSION:
                raise ValueError(f"version {stored['version']}")
            return {name: LocalUser(name=name, **fields) for name, fields in stored["users"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OperatorError(
                code="users-unreadable",
                message=f"{self._path} can't be understood ({type(error).__name__})",
                mend="bring it back from a copy; without it nobody can sign in",
            ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _document(users: dict[str, LocalUser]) -> str:
    return json.dumps({"version": _VERSION, "users": {n: u.as_dict() for n, u in sorted(users.items())}}, indent=1)
