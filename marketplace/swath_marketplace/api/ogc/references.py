"""Inputs given by reference: what is resolved without asking anybody else, and a plain no to the rest.

A run's inputs decide what it does with its caller's money, and this service stands inside the operator's network: it
opens no address that a caller names. Two kinds of references need none: a ``data:`` address holds its value, and an
output of an earlier run of the caller's is here already.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from swath_service.errors import SwathError

from swath_marketplace.api.ogc.asking import wrong

MAX_BYTES = 1 << 20
_DATA = re.compile(r"data:(?P<type>[^,;]*)(?P<parameters>(?:;[^,;]*)*),(?P<data>.*)", re.DOTALL | re.IGNORECASE)
_RESULT = re.compile(r"/runs/(?P<run>[0-9a-z]{1,64})/results/(?P<name>[A-Za-z][A-Za-z0-9_-]{0,62})")
_MEND = "send the value itself, a data: address, or the address of an output of a run of yours here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What a reference leads to."""

    content: bytes
    media_type: str


#: Answers the output ``name`` of a run that the caller may see: its content and media type; raises `SwathError`.
ReadOutput = Callable[[str, str], Resolved]


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Resolves references of one caller at one address of this service."""

    host: str
    """Host and port under which the caller knows this service."""
    base: str
    """Path that the service's addresses begin with."""
    read_output: ReadOutput

    def resolve(self, href: str, *, field: str) -> Resolved:
        """What `href` leads to.

        Raises
        ------
        Invalid
            When it is an address that is not opened, or holds more than `MAX_BYTES`.
        """
        found = self._of_data(href, field) if href[:5].lower() == "data:" else self._of_run(href, field)
        if len(found.content) > MAX_BYTES:
            raise wrong(
                field, f"it holds more than {MAX_BYTES >> 20} MiB", "keep data in the archive", code="too-large"
            )
        return found

    def _of_data(self, href: str, field: str) -> Resolved:
        match = _DATA.fullmatch(href)
        if match is None:
            raise wrong(field, "this is no data: address", "see RFC 2397", code="bad-reference-input")
        raw = unquote_to_bytes(match["data"])
        if match["parameters"].lower().endswith(";base64"):
            try:
                raw = base64.b64decode(raw, validate=True)
            except binascii.Error:
                raise wrong(field, "its data are no base64", "see RFC 2397", code="bad-reference-input") from None
        return Resolved(content=raw, media_type=match["type"].lower() or "text/plain")

    def _of_run(self, href: str, field: str) -> Resolved:
        address = urlsplit(href)
        here = address.netloc in ("", self.host) and address.scheme in ("", "http", "https")
        match = _RESULT.fullmatch(address.path.removeprefix(self.base)) if here else None
        if match is None:
            raise wrong(field, "this service opens no address of other servers", _MEND, code="reference-refused")
        try:
            return self.read_output(match["run"], match["name"])
        except SwathError as error:
            raise wrong(field, error.message, error.mend or _MEND, code="bad-reference-input") from error
