"""``python -m swath_archive``: serve; JupyterHub starts it."""

from __future__ import annotations

import sys

from swath_service.settings import SettingMissing

from swath_archive.bootstrap import main
from swath_archive.domain.errors import ArchiveBroken
from swath_archive.store.engine import DatabaseUnfit

if __name__ == "__main__":
    try:
        main()
    except (SettingMissing, DatabaseUnfit, ArchiveBroken) as error:
        sys.exit(f"archive: {error}")
