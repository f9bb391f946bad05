"""The marketplace's pages: where their links lead, how they write credits, sizes and hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from swath_service.actor import Actor
from swath_service.errors import STATUSES as FAMILIES
from swath_service.errors import Forbidden, SwathError
from swath_service.logs import request_id
from swath_service.pages import Pages
from swath_service.problems import status_of

from swath_marketplace.api.assets import assets_of, scripts_of
from swath_marketplace.api.errors import STATUSES

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def render(
    request: Request,
    template: str,
    *,
    prefix: str,
    viewer: Actor | None,
    status: int = 200,
    sandboxed: bool = False,
    scripts: Sequence[str] = (),
    page: Mapping[str, Any] | None = None,
    **values: Any,
) -> Response:
    """A page from `template`; see `swath_service.pages.Pages.render`.

    Parameters
    ----------
    viewer
        Who looks, where that is known; the bar leads whoever oversees to the operator's page.
    scripts
        Names of modules, as in ``marketplace/web/src/pages``.
    page
        What these are told, beside where the service is.
    """
    base = prefix.rstrip("/")
    name = viewer.name if viewer else ""
    return _pages().render(
        request,
        template,
        style_href=f"{base}/static/pages.css",
        status=status,
        sandboxed=sandboxed,
        scripts=scripts_of(base, *scripts),
        page={"base": base, "viewer": name, "assets": assets_of(base), **(page or {})} if scripts else None,
        base=base,
        hub=base.partition("/services/")[0] + "/hub/home",
        viewer=name,
        oversees=viewer is not None and viewer.oversees,
        **values,
    )


def render_error(request: Request, error: SwathError, *, prefix: str, viewer: Actor | None) -> Response:
    """The page that says what is wrong: people are not told in JSON."""
    return error_page(request, error, status_of(error, {**FAMILIES, **STATUSES}), prefix=prefix, viewer=viewer)


def error_page(
    request: Request, error: SwathError, status: int, *, prefix: str, viewer: Actor | None = None
) -> Response:
    """That page, with a status that is known already."""
    if error.code == "missing-scope":
        # Nobody made a token to look at a page.
        words = error.message.replace("this token", "your sign-in")
        error = Forbidden(code=error.code, message=words, mend="ask an operator for it")
    return render(
        request, "error.html", prefix=prefix, viewer=viewer, status=status, error=error, error_id=request_id.get()
    )


@cache
def _pages() -> Pages:
    filters = {"credits": credits_text, "size": size_text, "json": _json, "pretty": _pretty, "seconds": seconds_text}
    return Pages("swath_marketplace.api", filters=filters)


def credits_text(millicredits: int) -> str:
    """Credits as people read them: ``1,234.5``, at most three decimals."""
    whole, rest = divmod(abs(millicredits), 1000)
    text = f"{whole:,}" + (f".{rest:03d}".rstrip("0") if rest else "")
    return f"-{text}" if millicredits < 0 else text


def size_text(size: float) -> str:
    """Bytes in the unit that leaves the fewest digits, by thousands."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    if size == 1 and unit == "bytes":
        return "1 byte"
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"


def seconds_text(seconds: float) -> str:
    """A duration: ``12.3 s``, ``4 min 5 s``, ``2 h 3 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else (f"{minutes} min {rest} s" if rest else f"{minutes} min")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
