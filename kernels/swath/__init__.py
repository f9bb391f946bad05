"""Swath in a notebook, a script or a shell: call algorithms, publish your own, read the archive next door.

Nothing heavy is imported before it is used: ``import swath`` costs milliseconds in every kernel and run.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

# Type checkers take this for `typing.TYPE_CHECKING`; importing `typing` would double what the import costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from swath.checkpoint import checkpoint_requested, on_checkpoint
    from swath.client.api import (
        add_webhook,
        algorithms,
        environments,
        get_run,
        lineage,
        login,
        publish,
        quote,
        reproduce,
        run,
        runs,
        validate,
        verify,
        wallet,
        webhooks,
        whoami,
    )
    from swath.client.errors import SwathError
    from swath.cluster import cluster
    from swath.cube import collections, open_cube
    from swath.emit import emit, progress
    from swath.types import (
        BBox,
        Bounds,
        Ge,
        GeoJSON,
        Gt,
        Interval,
        Le,
        Len,
        Lt,
        MaxLen,
        MinLen,
        MultipleOf,
        Pattern,
        TemporalInterval,
    )

__all__ = [
    "BBox",
    "Bounds",
    "Ge",
    "GeoJSON",
    "Gt",
    "Interval",
    "Le",
    "Len",
    "Lt",
    "MaxLen",
    "MinLen",
    "MultipleOf",
    "Pattern",
    "SwathError",
    "TemporalInterval",
    "add_webhook",
    "algorithms",
    "checkpoint_requested",
    "cluster",
    "collections",
    "emit",
    "environments",
    "get_run",
    "lineage",
    "login",
    "on_checkpoint",
    "open_cube",
    "progress",
    "publish",
    "quote",
    "reproduce",
    "run",
    "runs",
    "validate",
    "verify",
    "wallet",
    "webhooks",
    "whoami",
]

_API = (
    "add_webhook algorithms environments get_run lineage login publish quote reproduce run runs validate verify wallet "
    "webhooks whoami"
)
_TYPES = "BBox Bounds Ge GeoJSON Gt Interval Le Len Lt MaxLen MinLen MultipleOf Pattern TemporalInterval"
_HOMES = {
    **dict.fromkeys(_API.split(), "swath.client.api"),
    **dict.fromkeys(_TYPES.split(), "swath.types"),
    "SwathError": "swath.client.errors",
    "checkpoint_requested": "swath.checkpoint",
    "on_checkpoint": "swath.checkpoint",
    "cluster": "swath.cluster",
    "collections": "swath.cube",
    "open_cube": "swath.cube",
    "emit": "swath.emit",
    "progress": "swath.emit",
}
#: Submodules that may be named without having been imported, e.g. ``swath.types.BBox``.
_SUBMODULES = ("client", "contract", "cube", "types")


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        value = getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


class _Package(ModuleType):
    """Keeps ``swath.emit`` the function, also after something has imported the module `swath.emit`.

    The import system sets a submodule as an attribute of its package, which would hide the function of that name.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

# In a Lab server's kernel the hub may have something to say; elsewhere the variable is not set.
if "SWATH_NOTICES" in os.environ and "IPython" in sys.modules:
    from swath import notices as _notices

    _notices.watch()
