"""Problem documents as exceptions."""

from __future__ import annotations

from typing import Any

import pytest
from swath.client import errors
from swath.client.algorithms import Reference
from swath.client.errors import RunFailed, SwathError, from_problem


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, errors.Invalid),
        (401, errors.NotSignedIn),
        (402, errors.Refused),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.Invalid),
        (418, errors.Invalid),
        (422, errors.Invalid),
        (429, errors.Refused),
        (500, errors.ServerFault),
        (503, errors.Unreachable),
    ],
)
def test_each_status_has_its_family(status: int, family: type[SwathError]) -> None:
    error = from_problem(status, {"detail": "d", "code": "c", "mend": "m", "id": "i", "limit": 3})
    assert type(error) is family
    assert (error.message, error.code, error.mend, error.id, error.extra) == ("d", "c", "m", "i", {"limit": 3})


@pytest.mark.parametrize("problem", [{}, {"findings": "x"}, {"findings": [1, None]}, {"detail": None, "code": 3}])
def test_a_strange_document_is_still_an_error(problem: dict[str, Any]) -> None:
    assert str(from_problem(422, problem))


def test_the_operator_is_told_the_id_only_of_the_servers_faults() -> None:
    assert "abc" in str(from_problem(500, {"id": "abc"}))
    assert "abc" not in str(from_problem(422, {"id": "abc"}))


def test_findings_are_told_by_place() -> None:
    findings = [
        {"field": "count", "message": "too small", "mend": "1 or more"},
        {"cell": 0, "line": 2, "message": "unannotated"},
        {"cell": 4, "message": "stored output"},
        {"message": "whole"},
    ]
    assert str(SwathError("no", findings=findings)).splitlines()[1:] == [
        "  - count: too small (1 or more)",
        "  - cell 1, line 2: unannotated",
        "  - cell 5: stored output",
        "  - whole",
    ]


def test_a_message_of_the_server_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in str(SwathError("a\x1b[2Jb", mend="\x1b]0;x\x07"))
    assert "\x1b" not in str(RunFailed("m", run_id="r", cell=None, traceback="\x1b[31mx", code="c"))


@pytest.mark.parametrize(
    ("text", "owner", "name", "wanted"),
    [
        ("ada/ndvi", "ada", "ndvi", "latest"),
        ("ada/ndvi@^1", "ada", "ndvi", "^1"),
        (" ada/ndvi@>=1,<2 ", "ada", "ndvi", ">=1,<2"),
        ("ada@example.org/ndvi@1.2.3", "ada@example.org", "ndvi", "1.2.3"),
        ("ada/ndvi@", "ada", "ndvi", "latest"),
    ],
)
def test_an_algorithm_is_named(text: str, owner: str, name: str, wanted: str) -> None:
    reference = Reference.parse(text)
    assert (reference.owner, reference.name, reference.range) == (owner, name, wanted)


def test_a_range_is_one_step_of_the_path() -> None:
    assert Reference.parse("a/nd@>=1,<2/../x").version_path.endswith("/versions/%3E%3D1%2C%3C2%2F..%2Fx")
