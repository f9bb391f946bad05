"""Who may do what: Swath's custom scopes, and JupyterHub's roles that carry them."""

from __future__ import annotations

from typing import Any

from swath_service.actor import Scope

from swath_hub.authenticator import OPERATORS

#: The services that users call.
USER_SERVICES = ("quota", "marketplace", "archive", "dask-gateway")

CUSTOM_SCOPES: dict[str, dict[str, str]] = {
    Scope.READ.value: {"description": "See listed algorithms, own runs and results, the own wallet"},
    Scope.PUBLISH.value: {"description": "Publish and yank versions of one's own algorithms"},
    Scope.EXECUTE.value: {"description": "Start and cancel runs that one's own wallet pays for"},
    Scope.ADMINISTER.value: {"description": "Act on anybody's algorithms, runs and wallets"},
    Scope.OVERSEE.value: {"description": "See anybody's wallet, and change nothing"},
    Scope.LEDGER.value: {"description": "Hold, capture and release on anybody's wallet (Swath's own services)"},
    Scope.STANDING.value: {"description": "See anybody's limits and how full they are (Swath's own services)"},
}

ACCESS = [f"access:services!service={name}" for name in USER_SERVICES]
USER_SCOPES = [Scope.READ.value, Scope.PUBLISH.value, Scope.EXECUTE.value, *ACCESS]

#: What a user's own server may do with its token: all that its user may do at our services, and with the hub what
#: every server needs. It can't start servers, make tokens or read other users.
SERVER_TOKEN_SCOPES = ["users:activity!user", "access:servers!server", *USER_SCOPES]


def load_roles() -> list[dict[str, Any]]:
    """JupyterHub's ``load_roles``: users, operators, and one role a service with the least that it needs."""
    return [
        {"name": "user", "scopes": ["self", *USER_SCOPES]},
        {
            "name": "swath-operator",
            "description": "Operators of Swath",
            "scopes": [Scope.ADMINISTER.value, Scope.OVERSEE.value],
            "groups": [OPERATORS],
        },
        {
            "name": "swath-marketplace",
            "description": "The marketplace pays for runs",
            "scopes": [Scope.LEDGER.value, "access:services!service=quota"],
            "services": ["marketplace"],
        },
        {
            "name": "swath-dask-gateway",
            "description": "Dask Gateway pays for clusters",
            "scopes": [Scope.LEDGER.value, "access:services!service=quota"],
            "services": ["dask-gateway"],
        },
        {
            "name": "swath-lab",
            "description": "The hub pays for JupyterLab servers",
            "scopes": [Scope.LEDGER.value, "access:services!service=quota"],
            "services": ["lab"],
        },
        {
            "name": "swath-archive",
            "description": "The archive keeps to callers' rates",
            "scopes": [Scope.STANDING.value, "access:services!service=quota"],
            "services": ["archive"],
        },
        {
            "name": "swath-idle-culler",
            "description": "Stops servers that nobody uses",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["idle-culler"],
        },
    ]
