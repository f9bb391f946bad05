"""Pages from templates: everything escaped, nothing inline that runs, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from swath_quota.domain.explanations import credits_text

_CSP = (
    "default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'self';"
    " frame-ancestors 'self'; base-uri 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # A wallet is nobody else's business: not that of a shared cache, nor of who sits at the machine next.
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie",
}
_MINUS = "\N{MINUS SIGN}"
_KINDS = {"run": "Run", "lab": "Lab server", "dask": "Dask cluster"}
_ENTRIES = {
    "allowance": "Allowance",
    "grant": "Grant",
    "capture": "Charge",
    "lapse": "Lapsed",
    "refund": "Refund",
}


def wants_html(request: Request) -> bool:
    """Whether a browser asks for a page: programs ask for JSON, or for anything."""
    accepted = request.headers.get("accept", "")
    page, data = accepted.find("text/html"), accepted.find("application/json")
    return page >= 0 and (data < 0 or page < data)


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

    text = (
        _environment()
        .get_template(template)
        .render(
            base=base,
            href=href,
            hub=base.partition("/services/")[0] + "/hub/home",
            style=f"{base}/static/quota.css?v={style_digest()}",
            own_style=Markup(style().decode()) if standalone else None,  # noqa: S704 - our file, not somebody's words
            may_sign_out=hasattr(request.app.state, "browser_sessions"),
            **values,
        )
    )
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(style()).digest()).decode()}'" if standalone else "'self'"
    headers = {**_HEADERS, "Content-Security-Policy": _CSP.format(style=allowed)}
    return HTMLResponse(text, status_code=status, headers=headers)


@cache
def style() -> bytes:
    """The pages' one style sheet."""
    return (files("swath_quota.api") / "static" / "quota.css").read_bytes()


@cache
def style_digest() -> str:
    """Changes when the style sheet does, so that browsers may keep it for long."""
    return hashlib.sha256(style()).hexdigest()[:16]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("swath_quota.api", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        credits=credits_text,
        exact=exact,
        signed=lambda amount: f"+{exact(amount)}" if amount > 0 else exact(amount),
        moment=_moment,
        day=_day,
        iso=lambda at: at.isoformat(),
        month_name=_month_name,
        kind=lambda kind: _KINDS.get(str(kind), str(kind)),
        entry=lambda kind: _ENTRIES.get(str(kind), str(kind)),
    )
    return environment


def exact(millicredits: int) -> str:
    """Credits with three decimals always, so that a column of them can be compared at a glance."""
    whole, rest = divmod(abs(millicredits), 1000)
    return f"{_MINUS if millicredits < 0 else ''}{whole:,}.{rest:03d}"


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{_day(at)}, {at:%H:%M}"


def _day(at: date) -> str:
    return f"{at.day} {at:%b %Y}"


def _month_name(month: str) -> str:
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"
