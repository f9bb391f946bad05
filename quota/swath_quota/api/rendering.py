"""The wallet's pages: where their links lead, how they write credits and months."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response
from swath_service.pages import Pages

from swath_quota.domain.explanations import credits_text

_MINUS = "\N{MINUS SIGN}"
_KINDS = {"run": "Run", "lab": "Lab server", "dask": "Dask cluster"}
_ENTRIES = {
    "allowance": "Allowance",
    "grant": "Grant",
    "capture": "Charge",
    "lapse": "Lapsed",
    "refund": "Refund",
}


def render(
    request: Request, template: str, *, prefix: str, status: int = 200, standalone: bool = False, **values: Any
) -> Response:
    """A page from `template`.

    Parameters
    ----------
    standalone
        Whether the page is to be kept as a file: it then carries its style, and leads nowhere.
    """
    base = prefix.rstrip("/")

    def href(path: str = "", **query: Any) -> str:
        account = values.get("account")
        carried = {"account": account} if account and account != values.get("viewer") else {}
        asked = {name: value for name, value in {**carried, **query}.items() if value is not None}
        return f"{base}/{path}" + (f"?{urlencode(asked)}" if asked else "")

    return _pages().render(
        request,
        template,
        style_href=f"{base}/static/quota.css",
        status=status,
        standalone=standalone,
        base=base,
        href=href,
        hub=base.partition("/services/")[0] + "/hub/home",
        **values,
    )


@cache
def _pages() -> Pages:
    return Pages(
        "swath_quota.api",
        filters={
            "credits": credits_text,
            "exact": exact,
            "signed": lambda amount: f"+{exact(amount)}" if amount > 0 else exact(amount),
            "month_name": _month_name,
            "kind": lambda kind: _KINDS.get(str(kind), str(kind)),
            "entry": lambda kind: _ENTRIES.get(str(kind), str(kind)),
        },
    )


def exact(millicredits: int) -> str:
    """Credits with three decimals always, so that a column of them can be compared at a glance."""
    whole, rest = divmod(abs(millicredits), 1000)
    return f"{_MINUS if millicredits < 0 else ''}{whole:,}.{rest:03d}"


def _month_name(month: str) -> str:
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"
