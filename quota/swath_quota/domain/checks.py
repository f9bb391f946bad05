"""Bounds of what a caller may send, checked all at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from swath_service.errors import Invalid

from swath_quota.domain.grants import GrantScope

#: Largest amount of one grant, hold or capture, in millicredits (a billion credits): sums stay far inside 64 bits.
MAX_AMOUNT = 10**12
#: Longest time a hold may stand without being extended.
MAX_HOLD_SECONDS = 90 * 24 * 3600
MAX_NAME = 255
MAX_REFERENCE = 200
MAX_TEXT = 500
MAX_USAGE = 32
MAX_PRIORITY = 1000
#: Most algorithms that a grant's scope may name.
MAX_SCOPE = 50
#: Ids that clients make and persist. They stand in a URL's path, so no slash.
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
USAGE_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"

#: ``owner/name``, or ``owner/*``.
ALGORITHM_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}/(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,99})$"
_ALGORITHM = re.compile(ALGORITHM_PATTERN.removesuffix("$") + r"\Z")
SLUG_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"
_SLUG = re.compile(SLUG_PATTERN.removesuffix("$") + r"\Z")
_ID = re.compile(ID_PATTERN.removesuffix("$") + r"\Z")
_USAGE = re.compile(USAGE_PATTERN.removesuffix("$") + r"\Z")


class Checks:
    """Collects every fault of one request; `done` raises them together."""

    def __init__(self) -> None:
        self.findings: list[dict[str, Any]] = []

    def fault(self, field: str, *, message: str, mend: str) -> None:
        """Note one fault."""
        self.findings.append({"field": field, "message": message, "mend": mend})

    def id(self, field: str, *, value: str) -> None:
        """An id made by the client."""
        if not isinstance(value, str) or not _ID.match(value):
            self.fault(
                field,
                message=f"{field} is not an id",
                mend="use 1-128 letters, digits and . _ : @ -, beginning with a letter or digit",
            )

    def text(self, field: str, *, value: str, longest: int, empty: bool = False) -> None:
        """Printable text of bounded length."""
        if not isinstance(value, str) or not (value.strip() or empty) or len(value) > longest:
            self.fault(
                field,
                message=f"{field} must be {0 if empty else 1} to {longest} characters long",
                mend=f"send a shorter or non-empty {field}",
            )
        elif any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in value):
            self.fault(field, message=f"{field} holds a control character", mend="send printable text on one line")

    def name(self, field: str, *, value: str) -> None:
        """The name of a user."""
        self.text(field, value=value, longest=MAX_NAME)
        if isinstance(value, str) and value != value.strip():
            self.fault(field, message=f"{field} begins or ends with a blank", mend="send the name as JupyterHub has it")

    def slug(self, field: str, *, value: str) -> None:
        """The name of an organisation."""
        if not isinstance(value, str) or not _SLUG.match(value):
            self.fault(
                field,
                message=f"{field} is no organisation's name",
                mend="use 1-63 lower-case letters, digits and hyphens, beginning with a letter",
            )

    def integer(self, field: str, *, value: int, least: int, most: int) -> None:
        """An integer in bounds; a bool is none."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fault(
                field, message=f"{field} must be an integer from {least} to {most}", mend=f"send {field} in that range"
            )

    def scope(self, field: str, *, value: GrantScope) -> None:
        """What a grant may be spent on."""
        wrong = [name for name in value.algorithms if not _ALGORITHM.match(name)]
        if wrong or len(value.algorithms) > MAX_SCOPE:
            self.fault(
                f"{field}.algorithms",
                message=f"{field}.algorithms must be at most {MAX_SCOPE} of owner/name or owner/*",
                mend="name algorithms as the marketplace does",
            )

    def usage(self, field: str, *, value: Mapping[str, float]) -> None:
        """What was used: names with finite, non-negative numbers."""
        if len(value) > MAX_USAGE:
            self.fault(field, message=f"{field} has over {MAX_USAGE} members", mend="send fewer")
        for name, number in value.items():
            if not isinstance(name, str) or not _USAGE.match(name):
                self.fault(field, message=f"{field} has a member whose name is no identifier", mend="use snake_case")
            elif isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
                self.fault(
                    f"{field}.{name}", message="must be a finite number of at least 0", mend="send such a number"
                )

    def done(self) -> None:
        """Raise `Invalid` with every fault, or do nothing.

        Raises
        ------
        Invalid
            ``invalid-request``, with a finding for each fault.
        """
        if self.findings:
            raise Invalid(
                code="invalid-request",
                message="; ".join(finding["message"] for finding in self.findings),
                mend="mend each finding and send again",
                findings=self.findings,
            )
