"""How Swath shows things: text that cannot drive a terminal, tables for people, HTML that cannot run."""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\^_]|.)?", re.DOTALL)
_COLOR = re.compile(r"\x1b\[[0-9;]*m\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str, *, colors: bool = False) -> str:
    """`text` without what would move the cursor, set a title or reach the clipboard of the terminal it is printed on.

    Titles, logs and tracebacks are written by others. With `colors`, sequences that only set colours stay.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _ESCAPE.sub(lambda found: found.group() if colors and _COLOR.match(found.group()) else "", text)
    return _CONTROL.sub("", text)


def credits_text(millicredits: int | None) -> str:
    """Credits as people read them: at most three decimals, none that say nothing."""
    if millicredits is None:
        return "-"
    whole, rest = divmod(abs(int(millicredits)), 1000)
    text = f"{whole:,}" + (f".{rest:03d}".rstrip("0") if rest else "")
    return f"-{text}" if millicredits < 0 else text


def bytes_text(size: int | None) -> str:
    """A size with its unit (powers of 1,024)."""
    if size is None:
        return "-"
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{int(amount)} B" if unit == "B" else f"{amount:.1f} {unit}"


def seconds_text(seconds: float | None) -> str:
    """A duration: ``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def time_text(value: str | None) -> str:
    """An ISO time as date and minute in the reader's own time zone; what is no time is shown as it is."""
    moment = parse_time(value)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else (value or "-")


def parse_time(value: str | None) -> datetime | None:
    """The aware time that an ISO string tells; ``None`` for anything else. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def text_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns for ``repr`` and for output that is no terminal."""
    cells = [[clean(str(cell)).replace("\n", " ").replace("\t", " ") for cell in row] for row in rows]
    widths = [max([len(name), *(_width(row[index]) for row in cells)]) for index, name in enumerate(columns)]
    lines = [list(columns), *cells]
    padded = ["  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(line)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """A table in which every cell is escaped."""
    head = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(clean(str(cell)))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    title = f"<caption style='text-align:left'>{html.escape(clean(caption))}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_facts(facts: Iterable[tuple[str, str]]) -> str:
    """Pairs as a table of two columns, every cell escaped."""
    left = "style='text-align:left'"
    rows = "".join(
        f"<tr><th {left}>{html.escape(name)}</th><td {left}>{html.escape(clean(value))}</td></tr>"
        for name, value in facts
    )
    return f"<table>{rows}</table>"


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel, in which a display can be updated in place."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
