"""SPDX licence expressions: their form, and the licences one meets in science."""

from __future__ import annotations

import re

from swath.contract.fields import nearest

#: Not the whole list of 700: another identifier of the right form is accepted with a warning.
_COMMON = """
0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause
BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 CC-BY-2.0 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-4.0
CC-BY-NC-ND-4.0 CC-BY-NC-SA-4.0 CC-BY-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CECILL-2.1 CECILL-B
CECILL-C ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only
GPL-3.0-or-later ISC LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MPL-1.1 MPL-2.0
MS-PL MulanPSL-2.0 NCSA NIST-PD ODC-By-1.0 ODbL-1.0 OGL-UK-3.0 OSL-3.0 PDDL-1.0 PSF-2.0 Python-2.0 Unlicense
UPL-1.0 WTFPL X11 Zlib etalab-2.0
"""
COMMON = tuple(_COMMON.split())
_SHORTHANDS = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "cc-by": "CC-BY-4.0",
    "cc by 4.0": "CC-BY-4.0",
    "gpl": "GPL-3.0-or-later",
    "gplv3": "GPL-3.0-or-later",
    "gpl-3.0": "GPL-3.0-only",
    "gpl-2.0": "GPL-2.0-only",
    "lgpl": "LGPL-3.0-or-later",
    "mit license": "MIT",
    "public domain": "CC0-1.0",
}
_ID = re.compile(r"(?:(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.-]{0,99}\+?")
_WORD = re.compile(r"[()]|[^\s()]+")
_MAX_LENGTH = 300


def identifiers(expression: str) -> list[str] | None:
    """The licences that a well-formed expression names, or ``None`` for another text."""
    if not 0 < len(expression) <= _MAX_LENGTH:
        return None
    found: list[str] = []
    depth = 0
    awaited = "licence"
    for word in _WORD.findall(expression):
        if awaited == "licence" and word == "(":
            depth += 1
        elif awaited == "licence" and word not in ("AND", "OR", "WITH") and _ID.fullmatch(word):
            found.append(word)
            awaited = "operator"
        elif awaited == "exception" and _ID.fullmatch(word):
            awaited = "operator"
        elif awaited == "operator" and word == ")" and depth:
            depth -= 1
        elif awaited == "operator" and word in ("AND", "OR"):
            awaited = "licence"
        elif awaited == "operator" and word == "WITH":
            awaited = "exception"
        else:
            return None
    return found if awaited == "operator" and not depth else None


def is_common(identifier: str) -> bool:
    """Whether it is a licence of the short list, or one that the expression's author defines."""
    return identifier.removesuffix("+") in COMMON or "LicenseRef-" in identifier


def meant(text: str) -> str | None:
    """The identifier that somebody probably meant."""
    return _SHORTHANDS.get(text.strip().lower()) or nearest(text.strip(), COMMON)
