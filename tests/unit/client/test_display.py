"""What is shown is aligned, in the right unit, and cannot drive a terminal or a page."""

from __future__ import annotations

import pytest
from swath.display import bytes_text, clean, credits_text, html_table, seconds_text, text_table, time_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "0.001"),
        (1500, "1.5"),
        (1000, "1"),
        (-1500, "-1.5"),
        (-1, "-0.001"),
        (10_000_000, "10,000"),
        (None, "-"),
    ],
)
def test_millicredits_are_shown_as_credits(amount: int | None, text: str) -> None:
    assert credits_text(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.84, "0.8 s"),
        (9.99, "10.0 s"),
        (42, "42 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 40, "5120.0 GiB")]
)
def test_sizes(size: int | None, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize("value", [None, "", "soon", "2023-99-01"])
def test_what_is_no_time_is_shown_as_it_is(value: str | None) -> None:
    assert time_text(value) == (value or "-")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[2Jgone", "gone"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;ZXZpbA==\x1b\\x", "x"),
        ("\x1b]0;unended\nnext", "\nnext"),
        ("\x1b\x1b[2J[2J", "[2J[2J"),
        ("\x9b2Jx", "2Jx"),
        ("a\rb", "a\nb"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\x08\x08\x07x", "x"),
        ("x\u202eevil", "xevil"),
        ("\x1b", ""),
        ("\x1bcx", "x"),
        ("näïve ✓ 中", "näïve ✓ 中"),
    ],
)
def test_nothing_drives_the_terminal(text: str, left: str) -> None:
    assert clean(text) == left
    assert "\x1b" not in clean(text, colors=True)


def test_colours_may_stay() -> None:
    assert clean("\x1b[1;31mred\x1b[0m\x1b[2J", colors=True) == "\x1b[1;31mred\x1b[0m"


def test_columns_are_aligned_whatever_is_in_them() -> None:
    table = text_table(["a", "b"], [["x\ny", 1], ["中文", None]])
    assert table.splitlines() == ["a     b", "x y   1", "中文  None"]


def test_a_page_shows_what_others_wrote_as_text() -> None:
    table = html_table(["<b>"], [["<script>alert(1)</script>"], ['" onload="x']], caption="<i>")
    assert "<script>" not in table
    assert "<b>" not in table
    assert "<i>" not in table
    assert "&quot; onload" in table
