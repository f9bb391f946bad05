"""``python -m swath_marketplace``: serve; JupyterHub starts it."""

from __future__ import annotations

import sys

from swath_sandbox.errors import SandboxUnavailable
from swath_service.database import DatabaseUnfit
from swath_service.settings import SettingMissing

from swath_marketplace.bootstrap import main

if __name__ == "__main__":
    try:
        main()
    except (SettingMissing, SandboxUnavailable, DatabaseUnfit) as error:
        sys.exit(f"marketplace: {error}")
