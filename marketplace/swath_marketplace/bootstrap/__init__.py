"""Read the settings and choose what the service works with. The only place that does.

Each capability that the assembly would be too long with has a module of its own here.
"""

from swath_marketplace.bootstrap.assembly import Marketplace, assemble, build, main
from swath_marketplace.bootstrap.search import reindex
from swath_marketplace.bootstrap.settings import Settings

__all__ = ["Marketplace", "Settings", "assemble", "build", "main", "reindex"]
