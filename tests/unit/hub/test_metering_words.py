"""What users are shown, which limits say no, and the files that carry notices and reasons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from swath_hub.metering import words
from swath_hub.metering.ceilings import Excess, excess
from swath_hub.metering.decisions import Alarm, Warn
from swath_hub.metering.notices import FILE, Notice, NoticeBoard
from swath_hub.metering.stops import Stops, WhyStopped
from swath_hub.metering.usage import Reserved
from swath_quota.client import Refusal

AT = datetime(2026, 3, 4, 12, 3, tzinfo=UTC)
SMALL, LARGE = Reserved(memory_bytes=2 * 2**30, cpus=1.0), Reserved(memory_bytes=16 * 2**30, cpus=3.5)
REFUSAL = Refusal(
    code="credits-exhausted", message="3.501 credits are needed", retry_at=AT, limit=10_000_000, left=1250
)


def test_a_refusal_says_what_is_needed_left_when_it_fits_and_where_to_look() -> None:
    error = words.refused(REFUSAL, title="Small <b>", needed=3501, quota_page="/services/quota/")
    assert error.status_code == 402
    assert error.reason == "credits-exhausted"
    page = error.message_html
    for said in ("3.501 credits", "1.25 credits", "4 March 2026, 12:03 UTC", 'href="/services/quota/"', "operator"):
        assert said in page
    assert "Small &lt;b&gt;" in page


def test_a_refusal_without_a_date_promises_none() -> None:
    refusal = Refusal(code="credits-exhausted", message="no", retry_at=None, limit=0, left=0)
    error = words.refused(refusal, title="Small", needed=3501, quota_page="/")
    assert "waiting alone does not help" in error.message_html


@pytest.mark.parametrize(
    ("limits", "others", "found"),
    [
        ({}, [LARGE] * 9, None),
        ({"lab.servers": 1}, [], None),
        ({"lab.servers": 1}, [SMALL], ("lab.servers", 1, 1, True)),
        ({"lab.cores": 4}, [SMALL], ("lab.cores", 1, 4, True)),
        ({"lab.cores": 3}, [], ("lab.cores", 0, 4, False)),
        ({"lab.memory_mb": 16 * 1024}, [], None),
        ({"lab.memory_mb": 16 * 1024}, [SMALL], ("lab.memory_mb", 2048, 16 * 1024, True)),
        ({"lab.servers": 0}, [], ("lab.servers", 0, 1, False)),
    ],
)
def test_limits_of_servers_cores_and_memory(
    limits: dict[str, int], others: list[Reserved], found: tuple[str, int, int, bool] | None
) -> None:
    over = excess(LARGE, others, limits.get)
    assert (over and (over.limit, over.used, over.wanted, over.ever_fits)) == found


def test_where_stopping_another_server_helps_it_is_429_and_else_403() -> None:
    over = Excess(limit="lab.servers", unit="JupyterLab servers", allowed=1, used=1, wanted=1)
    error = words.too_many(over, title="Small", quota_page="/services/quota/")
    assert (error.status_code, error.reason) == (429, "quota-exceeded")
    assert "0 of 1 JupyterLab servers (lab.servers)" in error.message_html
    over = Excess(limit="lab.cores", unit="processors", allowed=2, used=0, wanted=4)
    assert words.too_many(over, title="Small", quota_page="/").status_code == 403


def test_a_silent_quota_service_says_when_to_try_again() -> None:
    error = words.silent(quota_page="/services/quota/")
    assert error.status_code == 503
    assert error.headers == {"Retry-After": "30"}


def test_warnings_say_how_long() -> None:
    text = words.warning(Warn(kind=Alarm.SHARE, minutes=1), share=0.8, save_seconds=35)
    assert text.startswith("80% of the credits")
    assert "at least 1 more minute of" in text
    assert "less than a minute" in words.warning(Warn(kind=Alarm.MINUTES, minutes=0), share=0.8, save_seconds=35)
    text = words.warning(Warn(kind=Alarm.MINUTES, minutes=14), share=0.8, save_seconds=35)
    assert "at least 14 more minutes" in text
    assert "35 seconds" in text


def test_a_reason_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    stops = Stops(tmp_path / "stops")
    assert stops.get("ada", "") is None
    why = WhyStopped(code="credits-gone", text="<none> left", at=AT)
    stops.put("ada", "", why)
    assert stops.get("ada", "") == why
    assert stops.get("ada", "other") is None
    page = words.stopped_html(why, quota_page="/services/quota/")
    assert "12:03 UTC" in page
    assert "&lt;none&gt;" in page
    stops.forget("ada", "")
    stops.forget("ada", "")
    assert stops.get("ada", "") is None


def test_notices_are_appended_for_a_server_and_gone_with_the_next(tmp_path: Path) -> None:
    board = NoticeBoard(tmp_path / "notices")
    board.post("ada", Notice(code="credits-low", text="one", at=AT))
    board.post("ada", Notice(code="credits-gone", text="two\nlines", at=AT))
    place = tmp_path / "notices" / "ada"
    lines = (place / FILE).read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one", "two\nlines"]
    # The folder is bound into a server that runs: it stays the same one.
    before = (place / FILE).stat().st_ino
    assert board.open("ada") == place
    assert (place / FILE).read_text() == ""
    assert (place / FILE).stat().st_ino == before
    assert (place / FILE).stat().st_mode & 0o777 == 0o644
