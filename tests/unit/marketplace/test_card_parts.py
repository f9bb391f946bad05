"""What a card is made of: spreads of runs, sections of changelogs, names to cite, Markdown, plots and previews."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.api.markdown import to_html
from swath_marketplace.api.plots import histogram, line
from swath_marketplace.api.previews import preview_of
from swath_marketplace.domain.changelog import section_of
from swath_marketplace.domain.citing import Creator, creators_of, doi_of, unnamed
from swath_marketplace.domain.externals import web_address
from swath_marketplace.domain.runs import OutputFile, RunStatus
from swath_marketplace.domain.statistics import Sample, spread_of, statistics_of, wilson

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def sample(number: int, **more: object) -> Sample:
    made: dict[str, object] = {
        "caller": f"user{number % 3}",
        "outcome": RunStatus.FINISHED,
        "error_code": None,
        "platform_fault": False,
        "wall_seconds": 10.0 + number,
        "cost_millicredits": 1000 * number,
        "ended_at": NOW - timedelta(hours=number),
        **more,
    }
    return Sample(**made)  # type: ignore[arg-type]


def test_a_reference_that_the_card_names_is_not_listed_again() -> None:
    text = "## References\n\n- Xu (2006): NDWI. <https://doi.org/10.1080/01431160600589179>\n- A *Book*,\n  of 1999."
    told = [
        "Xu, doi:10.1080/01431160600589179",
        "a  *book*, of 1999.",
        "10.1080/014311606005891790",
        "https://a.example/b",
    ]
    assert unnamed(told, text) == told[2:]
    assert unnamed(told, "") == told
    assert unnamed(None, text) == []


def test_what_says_nothing_of_the_version_does_not_count() -> None:
    failed = [sample(1, outcome=RunStatus.ERROR, error_code="cell-failed")]
    nothing = [
        sample(2, outcome=RunStatus.CANCELED),
        sample(3, outcome=RunStatus.ERROR, platform_fault=True),
        sample(4, outcome=RunStatus.ERROR, error_code="budget-reached"),
    ]
    told = statistics_of([*failed, *nothing, *(sample(number) for number in range(9))])
    assert (told.runs, told.finished, told.share) == (10, 9, 0.9)
    assert told.interval == pytest.approx((0.5958, 0.9821), abs=1e-3)
    assert told.seconds is not None
    assert (told.seconds.median, told.seconds.p95) == (14.0, 18.0)


@pytest.mark.parametrize("samples", [[], [sample(n) for n in range(4)], [sample(n, caller="one") for n in range(50)]])
def test_too_few_runs_or_people_tell_nothing_but_their_number(samples: list[Sample]) -> None:
    told = statistics_of(samples).as_dict()
    assert told["runs"] == len(samples)
    assert {told[name] for name in ("finished", "share", "interval95", "seconds", "cost_millicredits")} == {None}


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_a_histogram_holds_every_value_in_few_bins(values: list[float]) -> None:
    spread = spread_of(values)
    assert sum(one.count for one in spread.bins) == len(values)
    assert 1 <= len(spread.bins) <= 10
    assert all(one.low < one.high for one in spread.bins)
    assert ElementTree.fromstring(histogram(spread, title='a "b" <c> & d')).attrib["role"] == "img"


def test_an_interval_lies_within_what_can_be() -> None:
    assert wilson(0, 1)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    low, high = wilson(81, 263)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


LOG = """# Changes

Words.

## [1.10.0] - 2026-12-01
### Added
- Ten
```
## 1.1.0
```
## v1.1.0
One
# 1.0.0-rc.1
Zero
"""


@pytest.mark.parametrize(
    ("version", "section"),
    [
        ("1.10.0", "### Added\n- Ten\n```\n## 1.1.0\n```"),
        ("1.1.0", "One"),
        ("1.0.0-rc.1", "Zero"),
        ("1.0.0", ""),
        ("10.0.0", ""),
        ("0.0", ""),
    ],
)
def test_a_section_is_that_of_its_version_alone(version: str, section: str) -> None:
    assert section_of(LOG, version) == section


def test_names_are_taken_as_they_are_written_and_nothing_else() -> None:
    told = {
        "doi": "https://doi.org/10.5281/zenodo.1",
        "authors": [
            {"family-names": "Doe", "given-names": "Ada", "orcid": "https://orcid.org/0000-0002-1825-0097"},
            {"name": "A\nTeam"},
            {"name": {}},
            7,
            {"orcid": "x"},
        ],
    }
    assert creators_of(told, owner="ada") == (
        Creator(family="Doe", given="Ada", orcid="0000-0002-1825-0097"),
        Creator(name="A Team"),
    )
    assert doi_of(told) == "10.5281/zenodo.1"
    assert (creators_of([], owner="ada"), doi_of(None)) == ((Creator(name="ada"),), "")


@given(st.text(max_size=300))
def test_markdown_has_no_tag_that_acts(text: str) -> None:
    html = to_html(f"{text}\n\n<b onclick=x>{text}</b>\n\n[{text}]({text})")
    assert not re.search(
        r"<(?!/?(?:p|br|hr|em|strong|s|code|pre|blockquote|ul|ol|li|a|img|table|thead|tbody|tr|th|td|h[2-6])\b)", html
    )
    assert not re.search(r"<[^>]*\s(?:on\w+|style|class|id)=", re.sub(r'"[^"]*"', '""', html))


def test_pictures_come_from_beside_the_text_or_not_at_all() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(10)
    files = {"a.png": png, "b.png": b"<svg>", "c.png": png + bytes(70_000)}
    sources = ("a.png", "b.png", "c.png", "../a.png", "//evil.example/x.png", "data:image/svg+xml;base64,AA")
    text = " ".join(f"![{number}]({source})" for number, source in enumerate(sources, 1))
    html = to_html(text, files_href="/f", read=files.get)
    assert html.count("<img") == 1
    for words in ("[2]", "[3]", "[4]", "[5]"):
        assert words in html
    assert "evil" not in html


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://a.example/x?y#z", True),
        ("javascript:alert(1)", False),
        ("https://user@a.example/", False),
        ("https:///x", False),
        ("//a.example/x", False),
        ("https://a.example/ x", False),
        ("https://[", False),
        ("data:text/html,x", False),
        (7, False),
    ],
)
def test_addresses_that_a_browser_may_be_sent_to(address: object, *, good: bool) -> None:
    assert bool(web_address(address)) is good


def file(media_type: str, path: Path, content: bytes) -> tuple[OutputFile, Path]:
    path.write_bytes(content)
    return OutputFile(name="x", media_type=media_type, bytes=len(content), sha256="0" * 64), path


def test_a_preview_reads_little_and_believes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    rows = "".join(f"2024-01-{day:02d},{day},x\n" for day in range(1, 29))
    table = preview_of(*file("text/csv", path, f"time,a,b\n{rows}".encode()))
    assert table.table is not None
    assert (len(table.table.rows), table.table.total, table.table.whole, len(table.plots)) == (12, 28, True, 1)
    assert "28 values from 1 to 28" in table.plots[0].words
    long = preview_of(*file("text/csv", path, b"time,a\n" + b"2024-01-01,1\n" * 200_000))
    assert long.table is not None
    assert not long.table.whole
    for media_type, content in (
        ("application/json", b"[" * 100_000),
        ("text/csv", b'"' + b"x" * 300_000),
        ("application/geo+json", b"[]"),
        ("application/geo+json", b"\xff"),
        ("image/tiff", b""),
    ):
        assert preview_of(*file(media_type, path, content)).table is None
    assert preview_of(OutputFile(name="x", media_type="text/csv", bytes=1, sha256="0" * 64), None).kind == "table"


def test_a_line_of_equal_values_is_drawn() -> None:
    assert "M0 45" in line([(0, 1), (1, 1), (2, 1)], title="flat")
