"""What users read: why a server does not start, why it stops, and what would help."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import datetime

from jupyterhub.spawner import SpawnException
from swath_quota.client import Refusal

from swath_hub.metering.ceilings import Excess
from swath_hub.metering.decisions import Alarm, Warn
from swath_hub.metering.stops import WhyStopped

_RETRY_SECONDS = 30


def credits_text(millicredits: int) -> str:
    """Credits for people: ``1,234.5``."""
    return f"{millicredits // 1000:,}.{millicredits % 1000:03d}".rstrip("0").rstrip(".")


def day_and_time(moment: datetime) -> str:
    return moment.strftime("%-d %B %Y, %H:%M UTC")


def refused(refusal: Refusal, *, title: str, needed: int, quota_page: str) -> SpawnException:
    """The wallet can't pay for the first hour."""
    later = (
        f"on {day_and_time(refusal.retry_at)}, if nothing else is spent until then"
        if refusal.retry_at
        else "waiting alone does not help"
    )
    rows = [
        ("Asked for", title),
        ("Needed", f"{credits_text(needed)} credits, held for the first hour; what is not used comes back"),
        ("Left", f"{credits_text(max(0, refusal.left))} credits"),
        ("Fits next", later),
        ("What helps", refusal.mend or "let what is running end, or ask an operator for credits"),
    ]
    message = f"Your wallet can't pay for the first hour of this server: {refusal.message}."
    return _exception(
        message, code=refusal.code, status=402, html_text=_page(message, rows, quota_page, "See what spent it")
    )


def too_many(excess: Excess, *, title: str, quota_page: str) -> SpawnException:
    """A limit of the user's tier says no: 429 where stopping another server helps, 403 where nothing here does."""
    if excess.ever_fits:
        mend = "stop another of your servers first"
        status, code, fits = 429, "quota-exceeded", "as soon as your other servers leave enough"
    else:
        mend = "choose a smaller size, or ask an operator for a higher limit"
        status, code, fits = 403, "size-above-limit", "waiting does not help"
    rows = [
        ("Asked for", title),
        ("Needed", f"{excess.wanted:,} {excess.unit}"),
        ("Left", f"{max(0, excess.allowed - excess.used):,} of {excess.allowed:,} {excess.unit} ({excess.limit})"),
        ("Fits next", fits),
        ("What helps", mend),
    ]
    message = f"Your limit of {excess.allowed:,} {excess.unit} has no room for this server."
    return _exception(message, code=code, status=status, html_text=_page(message, rows, quota_page, "See your limits"))


def silent(*, quota_page: str) -> SpawnException:
    """Nobody can say whether the wallet pays."""
    message = f"Wallets can't be asked just now, so no server is started. Try again in {_RETRY_SECONDS} seconds."
    rows = [("What helps", "try again in a moment; if it lasts, tell the operator that the quota service is silent")]
    error = _exception(
        message, code="quota-unreachable", status=503, html_text=_page(message, rows, quota_page, "Your wallet")
    )
    error.headers = {"Retry-After": str(_RETRY_SECONDS)}
    return error


def warning(warn: Warn, *, share: float, save_seconds: float) -> str:
    """What kernels show while credits run low."""
    minutes = f"at least {warn.minutes} more minute{'' if warn.minutes == 1 else 's'}"
    lasts = f"They last for {minutes if warn.minutes else 'less than a minute'} of this server."
    if warn.kind is Alarm.SHARE:
        return f"{share:.0%} of the credits that can pay for this server are used up. {lasts}"
    return (
        f"Your credits will soon be used up. {lasts} It then stops: running cells are interrupted and open notebooks"
        f" are saved within {round(save_seconds)} seconds. Save your work, or ask an operator for credits."
    )


def stopping(save_seconds: float) -> str:
    """What kernels show when the server is about to stop."""
    return (
        f"Your credits are used up: this server stops in {round(save_seconds)} seconds. Running cells are interrupted;"
        " save what is not saved."
    )


def credits_gone(at: datetime) -> WhyStopped:
    """Why a server was stopped whose credits were used up."""
    return WhyStopped(
        code="credits-gone",
        text=(
            "the credits that paid for it were used up. What was open in a browser was saved; variables in kernels are"
            " lost."
        ),
        at=at,
    )


def stopped_html(why: WhyStopped, *, quota_page: str) -> str:
    """The box above the button that starts a server."""
    when = f'<time datetime="{why.at.isoformat(timespec="seconds")}">{why.at:%H:%M} UTC on {why.at:%-d %B}</time>'
    return (
        '<div class="alert alert-warning" role="status" id="swath-stopped">'
        f"<strong>Your server was stopped at {when}</strong> because {html.escape(why.text)}"
        f' <a class="alert-link" href="{html.escape(quota_page)}">See what spent them</a></div>'
    )


def _exception(message: str, *, code: str, status: int, html_text: str) -> SpawnException:
    error = SpawnException(message, reason=code, status_code=status, message_html=html_text)
    # By these names the pages that start servers look for the same.
    error.jupyterhub_message, error.jupyterhub_html_message = message, html_text
    return error


def _page(message: str, rows: Iterable[tuple[str, str]], link: str, link_text: str) -> str:
    """A sentence, a short list, a link. Spans and line breaks alone: JupyterHub sets it inside a paragraph."""
    lines = "".join(
        f'<span class="d-block"><strong>{html.escape(name)}:</strong> {html.escape(value)}</span>'
        for name, value in rows
    )
    return (
        f'<span class="d-block mb-2">{html.escape(message)}</span>'
        f'<span class="d-inline-block text-start mb-2">{lines}</span>'
        f'<span class="d-block"><a href="{html.escape(link)}">{html.escape(link_text)}</a></span>'
    )
