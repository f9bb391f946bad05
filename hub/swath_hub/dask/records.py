"""Accounts of clusters on disk, beside the gateway's database: one small file each, replaced whole."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from swath_hub.dask.accounts import Account, from_json, to_json
from swath_hub.state import write_whole

log = logging.getLogger(__name__)


class Records:
    """Every account there is, in memory and on disk.

    Parameters
    ----------
    folder
        For the operator's uid alone; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True, parents=True, mode=0o700)
        self._accounts: dict[str, Account] = {}
        for path in sorted(folder.glob("*.json")):
            try:
                account = from_json(json.loads(path.read_text()))
            except (OSError, ValueError, KeyError, TypeError) as error:
                # Its hold expires by itself; the file stays for whoever looks into it.
                log.error("the account %s can't be understood: %s", path.name, error)
                continue
            self._accounts[account.cluster] = account

    def get(self, cluster: str) -> Account | None:
        """The account of a cluster."""
        return self._accounts.get(cluster)

    def all(self) -> list[Account]:
        """Every account."""
        return list(self._accounts.values())

    def keep(self, account: Account) -> Account:
        """Remember `account`, in memory at once; `write` puts it on disk."""
        self._accounts[account.cluster] = account
        return account

    def write(self, cluster: str) -> None:
        """Put the account of `cluster` on disk, whole; when this returns it survives a crash."""
        account = self._accounts[cluster]
        write_whole(self._path(cluster), json.dumps(to_json(account)) + "\n")

    def forget(self, cluster: str) -> None:
        """Drop the account; a no-op when there is none."""
        self._accounts.pop(cluster, None)
        self._path(cluster).unlink(missing_ok=True)

    def _path(self, cluster: str) -> Path:
        return self._folder / f"{cluster}.json"
