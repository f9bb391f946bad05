"""``python -m swath_quota``: serve; JupyterHub starts it."""

from __future__ import annotations

import sys

from swath_service.settings import SettingMissing

from swath_quota.bootstrap import SettingsInvalid, main
from swath_quota.catalogue import CatalogueInvalid
from swath_quota.store.engine import DatabaseUnfit

if __name__ == "__main__":
    try:
        main()
    except (SettingMissing, SettingsInvalid, CatalogueInvalid, DatabaseUnfit) as error:
        sys.exit(f"quota: {error}")
