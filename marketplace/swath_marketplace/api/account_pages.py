"""Your data: what of an account left as an archive and what came in, as a page."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response
from swath_service.errors import SwathError

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.domain.account_work import AccountWork, WorkKind

router = APIRouter(include_in_schema=False)

_SHOWN = 50


@router.get("/account")
def account_page(request: Request, actor: Caller, services: Services) -> Response:
    """Exports with their archives, imports with what came of them, and the buttons that make another."""
    prefix, accounts = services.shapes.base, services.exits.accounts
    try:
        exports, exports_total = accounts.list(actor, WorkKind.EXPORT, limit=_SHOWN, offset=0)
        imports, imports_total = accounts.list(actor, WorkKind.IMPORT, limit=_SHOWN, offset=0)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    return render(
        request,
        "account.html",
        prefix=prefix,
        viewer=actor,
        scripts=("account",),
        page={"waiting": _waiting(exports, imports), "most_bytes": services.exits.import_max_bytes},
        current="account",
        exports=exports,
        exports_total=exports_total,
        imports=imports,
        imports_total=imports_total,
        most_bytes=services.exits.import_max_bytes,
    )


def _waiting(*works: Sequence[AccountWork]) -> list[str]:
    """Where to ask how far those are that have not ended."""
    return [f"account/{one.kind.value}s/{one.id}" for some in works for one in some if one.open]
