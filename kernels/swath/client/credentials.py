"""Who calls and where: from the environment (JupyterLab, CI) or from the file that ``swath login`` keeps."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from swath.client.errors import Invalid, NotSignedIn, SwathError
from swath.client.private_files import write_private_json

_HOW = "run `swath login URL`, or set SWATH_URL and SWATH_TOKEN"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A hub and the token that opens it."""

    url: str
    """The hub's public address, with a slash at its end."""
    token: str = field(repr=False)
    source: str
    """Where the token came from, in words for a message."""
    insecure: bool = False
    """Whether the token may cross a network unencrypted."""


def find(environ: Mapping[str, str] = os.environ) -> Credentials:
    """The credentials to call with.

    In this order: ``SWATH_TOKEN``, ``JUPYTERHUB_API_TOKEN`` (in JupyterLab), the file of ``swath login``. A token
    from the environment goes to ``SWATH_URL`` and nowhere else.

    Raises
    ------
    NotSignedIn
        There is no token, or no address that it belongs to.
    """
    url = environ.get("SWATH_URL", "").strip()
    insecure = environ.get("SWATH_INSECURE", "").strip().lower() in {"1", "true", "yes"}
    for name in ("SWATH_TOKEN", "JUPYTERHUB_API_TOKEN"):
        token = environ.get(name, "").strip()
        # Another hub's JupyterLab has a token too; without SWATH_URL it is none of ours.
        if token and (url or name == "SWATH_TOKEN"):
            if not url:
                raise NotSignedIn(
                    "SWATH_TOKEN is set and SWATH_URL is not, so there is nowhere to send it",
                    code="no-url",
                    mend="set SWATH_URL to the address of the hub, e.g. https://swath.example.org/",
                )
            return Credentials(
                url=checked_url(url, insecure=insecure), token=checked_token(token), source=name, insecure=insecure
            )
    if environ.get("SWATH_RUN_DIR"):
        raise NotSignedIn(
            "a run has no token and no network, so it cannot call Swath itself",
            code="inside-a-run",
            mend="pass what is needed as a parameter; swath.open_cube reads the archive without a token",
        )
    return _from_file(Store.default(environ), wanted=url, insecure=insecure)


def _from_file(store: Store, *, wanted: str, insecure: bool) -> Credentials:
    kept = store.read()
    url = checked_url(wanted, insecure=True) if wanted else kept.get("current")
    server = kept.get("servers", {}).get(url) if url else None
    if not server:
        known = ", ".join(kept.get("servers", {}))
        raise NotSignedIn(
            f"not signed in to {url}" + (f"; signed in to {known}" if known else "") if url else "not signed in",
            code="not-signed-in",
            mend=f"run `swath login {url}`" if url else _HOW,
        )
    allowed = insecure or bool(server.get("insecure"))
    return Credentials(
        url=checked_url(str(url), insecure=allowed),
        token=checked_token(str(server.get("token", ""))),
        source=str(store.path),
        insecure=allowed,
    )


def checked_url(text: str, *, insecure: bool = False) -> str:
    """The address of a hub in its one form, ending in a slash; an address of one of its pages will do.

    Raises
    ------
    Invalid
        It is no http(s) address, or plain http to another machine without `insecure`.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or parts.username or any(char.isspace() for char in text):
        raise Invalid(
            "this is not the address of a hub",
            code="bad-url",
            mend="give http(s)://host[:port]/, without a user name or password in it",
        )
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        raise Invalid(
            f"{host} is on the network and http does not encrypt: the token could be read on its way",
            code="insecure-url",
            mend="use https://, or allow it with `swath login --insecure` or SWATH_INSECURE=1",
        )
    path = parts.path.split("/hub/")[0].removesuffix("/hub").rstrip("/")
    netloc = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{netloc}:{port}" if port else netloc, f"{path}/", "", ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_token(text: str) -> str:
    """The token, if it can be one; a line break in it would end the header that carries it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token or len(token) > 8192:
        raise Invalid(
            "this is not a token",
            code="bad-token",
            mend="copy it whole and alone, as the hub's token page shows it",
        )
    return token


class Store:
    """The file of ``swath login``: a token for each hub, readable by its owner alone.

    Parameters
    ----------
    path
        The file; its folder is made, with mode 0700, when something is first kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls, environ: Mapping[str, str] = os.environ) -> Store:
        """``$XDG_CONFIG_HOME/swath/credentials.json``, by default below ``~/.config``."""
        base = environ.get("XDG_CONFIG_HOME", "")
        folder = Path(base) if base.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"
        return cls(folder / "swath" / "credentials.json")

    def read(self) -> dict[str, Any]:
        """What is kept: ``current`` and ``servers``; empty when there is no file.

        Raises
        ------
        SwathError
            Others may read the file, or it is not what ``swath login`` wrote.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise SwathError(
                        f"others on this machine may read {self.path}, which holds your token",
                        code="credentials-exposed",
                        mend="revoke the token at the hub's token page, delete the file and sign in again",
                    )
                kept = json.load(file)
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise NotSignedIn(
                f"{self.path} cannot be read", code="credentials-unreadable", mend="delete it and sign in again"
            ) from error
        if not isinstance(kept, dict) or not isinstance(kept.get("servers", {}), dict):
            raise NotSignedIn(
                f"{self.path} is not what `swath login` wrote",
                code="credentials-unreadable",
                mend="delete it and sign in again",
            )
        return kept

    def keep(self, credentials: Credentials, *, user: str) -> None:
        """Add or replace the token for one hub and make that hub the current one."""
        kept = self.read()
        servers = dict(kept.get("servers", {}))
        servers[credentials.url] = {"token": credentials.token, "user": user, "insecure": credentials.insecure}
        write_private_json(self.path, {"version": 1, "current": credentials.url, "servers": servers})

    def forget(self, url: str | None = None) -> str | None:
        """Drop the token of `url` (by default the current hub) and say whose it was; ``None`` when there was none."""
        kept = self.read()
        servers = dict(kept.get("servers", {}))
        url = url or kept.get("current")
        if url is None or servers.pop(url, None) is None:
            return None
        current = kept.get("current") if kept.get("current") != url else next(iter(servers), None)
        write_private_json(self.path, {"version": 1, "current": current, "servers": servers})
        return url
