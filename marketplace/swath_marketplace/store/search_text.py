"""The words of entries in each kind of database: FTS5 on SQLite, tsvectors with GIN on PostgreSQL.

Words come folded (`domain.search_words`) and consist of letters and digits alone, so nothing of a query can be read as
syntax. Where a term occurs is asked column by column and no rank is: a rank of the database's own would change with
every text that others publish, and a page would begin where another ended only by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import sqlalchemy as sa

from swath_marketplace.domain.search_words import Term, singular, tokens
from swath_marketplace.domain.searching import Entry


class Column(StrEnum):
    """Where a word can occur."""

    TITLE = "title"
    SUMMARY = "summary"
    KEYWORDS = "keywords"
    BODY = "body"


#: A term, a column, and whether the term's last part must stand there as it is, though it may go on elsewhere.
Asked = tuple[Term, Column, bool]


class WordsTable:
    """``search_words`` of one database.

    Parameters
    ----------
    sqlite
        Whether it is FTS5's.
    """

    def __init__(self, *, sqlite: bool) -> None:
        self._sqlite = sqlite
        values = ", ".join(f":{column}" for column in Column)
        number = "rowid" if sqlite else "number"
        self._delete = sa.text(f"DELETE FROM search_words WHERE {number} = :number")
        self._insert = sa.text(f"INSERT INTO search_words ({number}, {', '.join(Column)}) VALUES (:number, {values})")
        if not sqlite:
            arrays = ", ".join(f"array_to_tsvector(CAST(:{column} AS text[]))" for column in Column)
            self._insert = sa.text(f"INSERT INTO search_words (number, {', '.join(Column)}) VALUES (:number, {arrays})")

    def put(self, connection: sa.Connection, entries: Mapping[int, Entry]) -> None:
        """Replace the words of entries, by number."""
        self.remove(connection, list(entries))
        if entries:
            rows = [{"number": number, **self._values(entry)} for number, entry in entries.items()]
            connection.execute(self._insert, rows)

    def remove(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        """Take the words of entries out."""
        if numbers:
            connection.execute(self._delete, [{"number": number} for number in numbers])

    def matches(self, connection: sa.Connection, asked: Sequence[Asked]) -> Sequence[Sequence[int]]:
        """The numbers of the entries that each of `asked` is true of, in one statement."""
        if not asked:
            return []
        ids = "group_concat(rowid)" if self._sqlite else "string_agg(CAST(number AS text), ',')"
        selects, values = [], {}
        for place, (term, column, exact) in enumerate(asked):
            condition = "search_words MATCH" if self._sqlite else f"{column} @@"
            given = f":q{place}" if self._sqlite else f"CAST(:q{place} AS tsquery)"
            selects.append(f"SELECT {place} AS place, {ids} AS ids FROM search_words WHERE {condition} {given}")
            made = _expression(term, prefix=_fts5_word if self._sqlite else _ts_word, exact=exact, fts5=self._sqlite)
            values[f"q{place}"] = f"{column} : ({made})" if self._sqlite else made
        found: list[Sequence[int]] = [()] * len(asked)
        for place, joined in connection.execute(sa.text(" UNION ALL ".join(selects)), values):
            if joined:
                found[place] = list(map(int, joined.split(",")))
        return found

    def _values(self, entry: Entry) -> dict[str, object]:
        texts = {
            Column.TITLE: f"{entry.title} {entry.path.rpartition('/')[2]}",
            Column.SUMMARY: entry.summary,
            Column.KEYWORDS: " ".join([*entry.keywords, entry.author, *_facet_words(entry)]),
            Column.BODY: entry.body,
        }
        words = {column.value: list(tokens(text, pairs=column is not Column.BODY)) for column, text in texts.items()}
        return {name: " ".join(some) for name, some in words.items()} if self._sqlite else dict(words)


def _facet_words(entry: Entry) -> list[str]:
    """Collections and bands are what people type who know the data."""
    return [value for facet, values in entry.facets.items() if facet in ("collection", "band") for value in values]


def _expression(term: Term, *, prefix: Callable[[str, bool], str], exact: bool, fts5: bool) -> str:
    """`term` in the syntax of one database."""
    either, both = (" OR ", " AND ") if fts5 else (" | ", " & ")
    goes_on = term.prefix and not exact

    def part(word: str, *, last: bool) -> str:
        forms = dict.fromkeys([prefix(word, last and goes_on), prefix(singular(word), False)])
        return f"({either.join(forms)})"

    parts = [part(word, last=place == len(term.parts) - 1) for place, word in enumerate(term.parts)]
    made = f"({both.join(parts)})"
    return f"({made}{either}{part(term.joined, last=True)})" if term.joined else made


def _fts5_word(word: str, goes_on: bool) -> str:
    return f'"{word}"*' if goes_on else f'"{word}"'


def _ts_word(word: str, goes_on: bool) -> str:
    return f"'{word}':*" if goes_on else f"'{word}'"
