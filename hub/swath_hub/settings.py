"""What an operator chose for this start; `swath up` writes it into the environment, the hub's config reads it there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder

_VARIABLE = "SWATH_HUB_SETTINGS"
_DAY = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class HubSettings:
    """Choices of one start; sizes and limits of a JupyterLab server are traits of `swath_hub.spawner.SwathSpawner`."""

    data: str
    archive: str = ""
    """Folder of the archive; empty for the one in the data folder."""
    idle_timeout_seconds: int = 8 * 3600
    """A JupyterLab server that nobody used for so long is stopped; 0 for never."""
    token_max_days: int = 365
    """Most days that a token lasts which somebody makes; one for which nothing is asked lasts so long. 0 for any."""
    extra_config: str = ""
    """A JupyterHub config file of the operator's, read after ours."""
    allow_no_bwrap: bool = False
    allow_no_cgroups: bool = False

    @property
    def folder(self) -> DataFolder:
        return DataFolder(Path(self.data))

    @property
    def archive_folder(self) -> Path:
        return Path(self.archive) if self.archive else self.folder.archive

    def __post_init__(self) -> None:
        if not 0 <= self.idle_timeout_seconds <= 365 * _DAY:
            raise OperatorError(
                code="bad-idle-timeout",
                message="an idle timeout is between 0 (never) and a year, in seconds",
                mend="give --idle-timeout in seconds, for example 28800",
            )

        if not 0 <= self.token_max_days <= 3650:
            raise OperatorError(
                code="bad-token-days",
                message="tokens last between a day and ten years, or any time (0)",
                mend="give --token-max-days in days, for example 365",
            )

    def to_environment(self) -> dict[str, str]:
        return {_VARIABLE: json.dumps(asdict(self)), "SWATH_DATA": self.data}

    @classmethod
    def from_environment(cls) -> HubSettings:
        """The settings of this start.

        Raises
        ------
        OperatorError
            JupyterHub was not started by `swath up`.
        """
        stored = os.environ.get(_VARIABLE)
        if not stored:
            raise OperatorError(
                code="not-started-by-up",
                message=f"{_VARIABLE} is not set",
                mend="start Swath with `swath up`; arguments after -- are handed to JupyterHub",
            )
        return cls(**json.loads(stored))
