"""Pages from templates: everything escaped, nothing inline that runs, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from swath_service.page_keys import PageKeys

_CSP = (
    "default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'self';"
    " frame-ancestors 'self'; base-uri 'none'{more}"
)
# `'self'` is no source of scripts: a Lab server serves its user's files at this origin. The page is sandboxed without
# an origin, so nothing of it, its key least of all, can be read by another page. Markup is made by DOM methods alone:
# what users wrote can't become a script where the browser refuses to parse strings.
_CSP_SCRIPTS = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none';"
    # What is opened beside it is a page of its own right: the one to sign in again needs the hub's cookies.
    " sandbox allow-scripts allow-forms allow-top-navigation allow-downloads allow-popups"
    " allow-popups-to-escape-sandbox"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # What a person sees is nobody else's business: not that of a shared cache, nor of who sits at the machine next.
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie",
}


class Pages:
    """The pages of one service: its templates, in the frame that all services share.

    Parameters
    ----------
    package
        Whose folder ``templates`` holds them; they extend ``frame.html``.
    filters
        Further filters of the templates. `moment`, `day` and `iso` are there.
    """

    def __init__(self, package: str, *, filters: Mapping[str, Callable[..., Any]]) -> None:
        self._package = package
        self._filters = filters

    def render(
        self,
        request: Request,
        template: str,
        *,
        style_href: str,
        status: int = 200,
        standalone: bool = False,
        sandboxed: bool = False,
        scripts: Sequence[str] = (),
        page: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Response:
        """A page from `template`.

        Parameters
        ----------
        style_href
            Where the service serves `style`.
        standalone
            Whether the page is to be kept as a file: it then carries its style, and leads nowhere.
        sandboxed
            Whether the page is to have an origin of its own, which no script of another page can look into: for pages
            with forms that act (`swath_service.forms`). Nothing in such a page may need the session's cookie.
        scripts
            Addresses of ES modules that the page runs, served with ``Access-Control-Allow-Origin: *``. It is sandboxed
            then, and carries a key (`swath_service.page_keys`) where its person has a session and went to the page; if
            not, it runs no script and says how to open it.
        page
            What its scripts are told, as JSON in the element ``#page``, beside the key.
        """
        sandboxed = sandboxed or bool(scripts)
        keys: PageKeys | None = getattr(request.app.state, "page_keys", None)
        key = keys.issue(request) if keys and scripts else None
        nonce = secrets.token_urlsafe(18)
        text = self._environment.get_template(template).render(
            style=f"{style_href}?v={style_digest()}",
            own_style=Markup(style().decode()) if standalone else None,  # noqa: S704 - our file, not somebody's words
            may_sign_out=hasattr(request.app.state, "browser_sessions"),
            sandboxed=sandboxed,
            scripts=scripts if key else (),
            scripts_missing=bool(scripts) and key is None,
            nonce=nonce,
            page={**(page or {}), "key": key},
            **values,
        )
        if key:
            return HTMLResponse(
                text,
                status_code=status,
                headers={**_HEADERS, "Content-Security-Policy": _CSP_SCRIPTS.format(nonce=nonce)},
            )
        allowed = f"'sha256-{base64.b64encode(hashlib.sha256(style()).digest()).decode()}'" if standalone else "'self'"
        # Links and forms go on, in the same window; scripts there are none.
        more = "; sandbox allow-forms allow-top-navigation" if sandboxed else ""
        headers = {**_HEADERS, "Content-Security-Policy": _CSP.format(style=allowed, more=more)}
        return HTMLResponse(text, status_code=status, headers=headers)

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=ChoiceLoader(
                [PackageLoader(self._package, "templates"), PackageLoader("swath_service", "templates")]
            ),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(moment=moment, day=day, iso=lambda at: at.isoformat())
        environment.filters.update(self._filters)
        return environment


def wants_html(request: Request) -> bool:
    """Whether a browser asks for a page: programs ask for JSON, or for anything."""
    accepted = request.headers.get("accept", "")
    page, data = accepted.find("text/html"), accepted.find("application/json")
    return page >= 0 and (data < 0 or page < data)


@cache
def style() -> bytes:
    """The pages' one style sheet."""
    return (files("swath_service") / "static" / "pages.css").read_bytes()


@cache
def style_digest() -> str:
    """Changes when the style sheet does, so that browsers may keep it for long."""
    return hashlib.sha256(style()).hexdigest()[:16]


def stylesheet() -> Response:
    """The answer with the style sheet; its address changes with it."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(style(), media_type="text/css; charset=utf-8", headers=headers)


def moment(at: datetime) -> str:
    """A time, to the minute, in UTC."""
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M}"


def day(at: date) -> str:
    """A day."""
    return f"{at.day} {at:%b %Y}"
