"""Where everything lies below one data folder. Nobody else in the hub joins these paths by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from swath_hub.errors import OperatorError


def default_root() -> Path:
    """``SWATH_DATA``, or the place that the XDG base directories name."""
    if named := os.environ.get("SWATH_DATA"):
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().resolve() / "swath"


@dataclass(frozen=True)
class DataFolder:
    """One copy of Swath on disk: two copies share nothing as long as their folders differ."""

    root: Path

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def hub(self) -> Path:
        return self.root / "hub"

    @property
    def servers(self) -> Path:
        """One folder a started JupyterLab server, with what is needed to find its processes again."""
        return self.hub / "servers"

    @property
    def clusters(self) -> Path:
        """Working folders of Dask clusters."""
        return self.hub / "clusters"

    @property
    def jupyter(self) -> Path:
        """A ``JUPYTER_PATH`` entry: kernelspecs of the built environments, and settings of JupyterLab."""
        return self.hub / "jupyter"

    @property
    def samples(self) -> Path:
        return self.hub / "samples"

    @property
    def homes(self) -> Path:
        return self.root / "homes"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def uids(self) -> Path:
        """Which uid each user's and each run's processes have; the marketplace writes it too."""
        return self.root / "uids" / "uids.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "hub.log"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def users(self) -> Path:
        return self.secrets / "users.json"

    @property
    def lab_quota_token(self) -> Path:
        """File of the token with which the hub holds and settles for JupyterLab servers."""
        return self.secrets / "lab-quota-token"

    @property
    def metering(self) -> Path:
        """Meters of JupyterLab servers, notices to their users, and why some were stopped."""
        return self.hub / "metering"

    @property
    def initial_password(self) -> Path:
        return self.secrets / "initial-password"

    def service(self, name: str) -> Path:
        """The folder that the service `name` may write to."""
        return self.root / name

    def create(self) -> None:
        """Make the folders that are missing; idempotent.

        The root itself stays searchable for others, because each user's server runs under an own uid and reaches
        its home, the archive and the environments below it; what may not be seen is closed one level down.

        Raises
        ------
        OperatorError
            When the folder can't be made or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
            for private in (self.secrets, self.hub, self.servers, self.clusters, self.logs):
                private.mkdir(exist_ok=True, mode=0o700)
                private.chmod(0o700)
            for service in ("quota", "marketplace"):
                self.service(service).mkdir(exist_ok=True, mode=0o700)
                self.service(service).chmod(0o700)
            for shared in (self.homes, self.archive, self.environments):
                shared.mkdir(exist_ok=True, mode=0o755)
        except OSError as error:
            raise OperatorError(
                code="data-folder",
                message=f"the data folder {self.root} can't be made or written: {error.strerror}",
                mend="choose another with --data, or mend its owner and permissions",
            ) from error
