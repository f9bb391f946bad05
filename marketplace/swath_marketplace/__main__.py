"""``python -m swath_marketplace``: serve; JupyterHub starts it. With ``reindex``: make the search index anew."""

from __future__ import annotations

import sys

from swath_sandbox.errors import SandboxUnavailable
from swath_service.database import DatabaseUnfit
from swath_service.settings import SettingMissing

from swath_marketplace.bootstrap import main, reindex

if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["reindex"]:
            print(f"{reindex():,} entries were made anew")
        elif sys.argv[1:]:
            sys.exit("marketplace: it knows one word only, reindex; without any it serves")
        else:
            main()
    except (SettingMissing, SandboxUnavailable, DatabaseUnfit) as error:
        sys.exit(f"marketplace: {error}")
