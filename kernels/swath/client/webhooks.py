"""Webhooks: have Swath post what happens to your runs, and check that what comes was posted by it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from swath.client import lists
from swath.client.errors import Invalid, WaitTimeout
from swath.client.http import MARKETPLACE, Api, segment
from swath.display import clean, html_facts, time_text

COLUMNS = ("webhook", "events", "of", "on", "address")
DELIVERY_COLUMNS = ("message", "type", "run", "at", "status", "tries", "answer", "error")
#: Seconds that a message's time may be away from now: an older one may be somebody's recording.
TOLERANCE = 300


class Webhook:
    """Somebody who is told: an address of yours, and what it is told of.

    Attributes
    ----------
    secret
        What its messages are signed with: known right after it was added or rotated, and never again.
    """

    def __init__(self, api: Api, data: Mapping[str, Any]) -> None:
        self._api = api
        self._data = dict(data)
        self.secret: str | None = self._data.pop("secret", None)
        self.id = str(data["id"])
        self._path = f"{MARKETPLACE}/webhooks/{segment(self.id)}"

    @property
    def url(self) -> str:
        """Where messages are posted."""
        return str(self._data.get("url", ""))

    @property
    def events(self) -> tuple[str, ...]:
        """What it is told of."""
        return tuple(map(str, self._data.get("events") or ()))

    @property
    def active(self) -> bool:
        """Whether anything is sent there."""
        return bool(self._data.get("active"))

    def change(
        self, *, url: str | None = None, events: Sequence[str] | None = None, active: bool | None = None
    ) -> Webhook:
        """Change what is given; one that was switched off for its failures is switched on with ``active=True``."""
        given = {"url": url, "events": None if events is None else list(events), "active": active}
        body = {name: value for name, value in given.items() if value is not None}
        self._data = self._api.json("PATCH", self._path, json=body, repeatable=True)
        return self

    def rotate(self, *, overlap_hours: float = 24) -> str:
        """A new secret; for so long the one before signs, too."""
        told = self._api.json(
            "POST", f"{self._path}/rotate", json={"overlap_hours": overlap_hours}, **_once(uuid.uuid4().hex)
        )
        self.secret = str(told.pop("secret"))
        self._data = told
        return self.secret

    def remove(self) -> None:
        """Delete it."""
        self._api.request("DELETE", self._path)

    def test(self, *, timeout: float = 20.0) -> dict[str, Any]:
        """Have a ``ping`` sent, and wait for what comes of it.

        Raises
        ------
        WaitTimeout
            Nobody tried to send it within that time; it will be sent.
        """
        sent = self._api.json("POST", f"{self._path}/test", **_once(uuid.uuid4().hex))
        deadline = time.monotonic() + timeout
        while True:
            told = self.delivery(str(sent["id"]))
            if told["attempts"]:
                return told
            if time.monotonic() > deadline:
                raise WaitTimeout("the ping is not sent yet", code="wait-timeout", mend="look at the deliveries later")
            time.sleep(0.25)

    def deliveries(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """What was sent and is to be, the latest first."""
        return lists.items(self._api, f"{self._path}/deliveries", "deliveries", limit=limit)

    def delivery(self, delivery_id: str) -> dict[str, Any]:
        """One message: its body, and each try."""
        told: dict[str, Any] = self._api.json("GET", f"{self._path}/deliveries/{segment(delivery_id)}")
        return told

    def redeliver(self, delivery_id: str) -> dict[str, Any]:
        """Have a message sent again, under the same id."""
        path = f"{self._path}/deliveries/{segment(delivery_id)}/redeliver"
        told: dict[str, Any] = self._api.json("POST", path, repeatable=True)
        return told

    def as_dict(self) -> dict[str, Any]:
        """As the server tells it, with the secret if that is known."""
        return {**self._data, **({"secret": self.secret} if self.secret else {})}

    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about it, as pairs."""
        data = self._data
        return [
            ("webhook", self.id),
            ("address", clean(self.url)),
            ("events", ", ".join(self.events)),
            ("of", _of(data)),
            ("on", "yes" if self.active else clean(f"no: {data.get('disabled_why')}")),
            ("nothing taken since", time_text(data["failing_since"]) if data.get("failing_since") else ""),
            ("secret", self.secret or ""),
        ]

    def row(self) -> tuple[str, ...]:
        """Cells for `COLUMNS`."""
        return (self.id, ", ".join(self.events), _of(self._data), "yes" if self.active else "no", clean(self.url))

    def __repr__(self) -> str:
        return f"<Webhook {self.id} {'on' if self.active else 'off'}>"

    def _repr_html_(self) -> str:
        # The secret stays out: a notebook's outputs are kept and shown around.
        return html_facts([fact for fact in self.facts() if fact[0] != "secret"])


def add(
    api: Api,
    url: str,
    *,
    events: Sequence[str] | None = None,
    algorithm: str | None = None,
    run: str | None = None,
    description: str = "",
) -> Webhook:
    """Have events posted to `url`; see `swath.add_webhook`."""
    given = {
        "url": url,
        "events": list(events) if events else None,
        "algorithm": algorithm,
        "run": run,
        "description": description or None,
    }
    body = {name: value for name, value in given.items() if value is not None}
    return Webhook(api, api.json("POST", f"{MARKETPLACE}/webhooks", json=body, **_once(uuid.uuid4().hex)))


def every(api: Api) -> list[Webhook]:
    """The caller's webhooks, the oldest first."""
    told = api.json("GET", f"{MARKETPLACE}/webhooks")
    return [Webhook(api, one) for one in told["webhooks"]]


def get(api: Api, webhook_id: str) -> Webhook:
    """One webhook, by its id or the beginning of it.

    Raises
    ------
    Invalid
        Several begin so, or none does.
    """
    found = [one for one in every(api) if webhook_id and one.id.startswith(webhook_id)]
    if len(found) != 1:
        what = "several of your webhooks begin" if found else "none of your webhooks begins"
        raise Invalid(f"{what} with {webhook_id!r}", code="no-such-webhook", mend="`swath webhook list` has them")
    return found[0]


def verify(
    secret: str | Sequence[str], body: bytes, headers: Mapping[str, str], *, now: float | None = None
) -> dict[str, Any]:
    """The message in `body`, when it was signed with `secret` (or one of several) and is not old.

    The scheme is that of standard-webhooks, for which there are libraries in many languages; this one needs none.

    Parameters
    ----------
    body
        To the byte as it came.
    headers
        ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, in any case. A message that comes twice comes
        under the same ``webhook-id``: whoever keeps those for a while tells it apart from a new one.

    Raises
    ------
    Invalid
        Do not believe it.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at = told["webhook-id"], int(told["webhook-timestamp"])
        given = [one.partition(",")[2] for one in told["webhook-signature"].split() if one.startswith("v1,")]
        keys = [
            base64.b64decode(one.removeprefix("whsec_")) for one in ([secret] if isinstance(secret, str) else secret)
        ]
    except (KeyError, ValueError, binascii.Error) as error:
        raise _doubtful("it has no signature, or that cannot be read") from error
    if abs((time.time() if now is None else now) - sent_at) > TOLERANCE:
        raise _doubtful("it is too old, or the clocks differ")
    signed = f"{message_id}.{sent_at}.".encode() + body
    expected = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given):
        raise _doubtful("it was not signed with this secret")
    read: dict[str, Any] = json.loads(body)
    return read


def delivery_rows(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Cells for `DELIVERY_COLUMNS`."""
    names = ("id", "type", "run", "at", "status", "attempts", "answer", "error")
    return [
        tuple(
            time_text(one.get(name)) if name == "at" else clean("" if one.get(name) is None else str(one.get(name)))
            for name in names
        )
        for one in found
    ]


def _of(data: Mapping[str, Any]) -> str:
    return clean(str(data.get("algorithm") or (f"run {data['run']}" if data.get("run") else "all your runs")))


def _doubtful(why: str) -> Invalid:
    return Invalid(f"this message is not to be believed: {why}", code="webhook-unverified", mend="drop it")


def _once(key: str) -> dict[str, Any]:
    """How to send what makes something, so that it may be sent again over a bad connection."""
    return {"headers": {"Idempotency-Key": key}, "repeatable": True}
