"""Words of texts and of queries, made alike: accents and case folded, a plural found by its singular and the other way.

Both databases are given the words that are made here and no text, so that they find the same; and no character of a
query but letters and digits ever reaches the syntax of either.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: Of a text so many different words are kept.
MOST_TOKENS = 5_000
#: Further words of a query are passed over.
MOST_TERMS = 10
_LONGEST = 60
_WORD = re.compile(r"[^\W_]+")
_MOST_PARTS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One word of a query: all of its parts must occur, or all of them written as one."""

    raw: str
    parts: tuple[str, ...]
    """``time-series`` has two."""
    prefix: bool = False
    """Whether the last part may go on: the word is still being written."""

    @property
    def joined(self) -> str | None:
        """The parts written as one; ``None`` where there is one only."""
        return "".join(self.parts) if len(self.parts) > 1 else None


def fold(text: str) -> str:
    """`text` without case, accents and compatibility forms."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def tokens(text: str, *, pairs: bool = False) -> tuple[str, ...]:
    """The different words that `text` is found by: each part, compounds written as one, and their singulars.

    Parameters
    ----------
    pairs
        Whether two neighbours are found written as one, too: ``timeseries`` finds "time series". For short texts.
    """
    found: dict[str, None] = {}
    before = ""
    for chunk in fold(text).split():
        parts = [part[:_LONGEST] for part in _WORD.findall(chunk)]
        whole = ["".join(parts)] if 1 < len(parts) <= _MOST_PARTS else []
        if pairs and before and parts:
            whole.append(before + parts[0])
        before = parts[-1] if parts else before
        for word in (*parts, *(one for one in whole if len(one) <= _LONGEST)):
            found[word] = None
            found[singular(word)] = None
        if len(found) >= MOST_TOKENS:
            break
    return tuple(found)[:MOST_TOKENS]


def terms(query: str) -> tuple[Term, ...]:
    """The words of `query`; the last one may be the beginning of a word, unless a space follows it."""
    found = []
    for chunk in query.split():
        parts = tuple(part[:_LONGEST] for part in _WORD.findall(fold(chunk)))
        if parts:
            found.append(Term(raw=chunk, parts=parts))
    found = found[:MOST_TERMS]
    if found and not query[-1:].isspace():
        last = found[-1]
        found[-1] = Term(raw=last.raw, parts=last.parts, prefix=True)
    return tuple(found)


def singular(word: str) -> str:
    """The English singular of a plural by Harman's rules for a trailing s (JASIS 42(1), 1991, 7-15); else `word`."""
    if len(word) < 4 or not word.isascii() or not word.isalpha() or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
    return word if word.endswith(("us", "ss", "is")) else word[:-1]
