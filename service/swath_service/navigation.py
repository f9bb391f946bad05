"""Whether a person's browser went to a page, or a script asked for it."""

from __future__ import annotations

from fastapi import Request


def navigated(request: Request) -> bool:
    """Whether a browser asks for the document itself, to show it: what comes back can then be read by nobody else.

    Browsers set these headers, and no script can. They set them for https and for the machine itself only; a browser
    that sets none is taken for a script. A service worker, which any page of this origin may have put in between, gets
    to read what it asks for: its own requests have no destination, and those that the browser makes ahead for it
    (navigation preload) carry a header that says so.
    """
    headers = request.headers
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and "service-worker-navigation-preload" not in headers
    )
