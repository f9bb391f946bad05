"""How an algorithm is named: ``owner/name`` and, after an ``@``, a version or a range of versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swath_service.errors import Invalid

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")
_RANGE = re.compile(r"[0-9A-Za-z.,^~<>=*+ -]{1,80}")


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmReference:
    """``owner/name@range``, its parts."""

    owner: str
    """JupyterHub's name of the author."""
    name: str
    """Slug of the algorithm."""
    range: str
    """What follows the ``@``; ``latest`` when nothing does."""

    @property
    def path(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


def parse_reference(text: str) -> AlgorithmReference:
    """Read ``owner/name`` or ``owner/name@range``.

    Raises
    ------
    Invalid
        ``bad-reference``, when `text` has another form.
    """
    owner, slash, rest = text.partition("/")
    name, _, version_range = rest.partition("@")
    version_range = version_range.strip() or "latest"
    if not (slash and _OWNER.fullmatch(owner) and _NAME.fullmatch(name) and _RANGE.fullmatch(version_range)):
        raise Invalid(
            code="bad-reference",
            message="an algorithm is named owner/name or owner/name@range",
            mend="for example ada/ndvi-timeseries@^1",
            findings=[{"field": "algorithm", "message": "not of the form owner/name@range", "mend": "see the example"}],
        )
    return AlgorithmReference(owner=owner, name=name, range=version_range)
