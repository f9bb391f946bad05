"""Reading an algorithm's folder: what is sent, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from swath.contract.fields import ContractError
from swath.scenario_files import parse_scenario, read_folder, scenario_name


def test_a_folder_is_read_without_the_notebook_and_what_tools_leave(tmp_path: Path) -> None:
    for path in ("notebook.ipynb", "README.md", "scenarios/a.yaml", ".git/x", ".ipynb_checkpoints/y", "__pycache__/z"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    assert read_folder(tmp_path) == {"README.md": b"README.md", "scenarios/a.yaml": b"scenarios/a.yaml"}


def test_a_link_and_a_strange_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("x")
    with pytest.raises(ContractError, match=r"a b\.txt"):
        read_folder(tmp_path)
    (tmp_path / "a b.txt").unlink()
    (tmp_path / "key").symlink_to("/etc/hostname")
    with pytest.raises(ContractError, match="a link"):
        read_folder(tmp_path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ContractError, match="at most 4 MiB"):
        read_folder(tmp_path)


def test_a_scenario_s_days_stay_text() -> None:
    content = b"title: t\nparameters: {day: 2020-01-01}\nrefused: {code: invalid}\n"
    assert parse_scenario("scenarios/a.yaml", content).parameters == {"day": "2020-01-01"}


@pytest.mark.parametrize("path", ["scenario/a.yaml", "scenarios/a/b.yaml", "scenarios/a.txt", "README.md"])
def test_other_files_are_no_scenarios(path: str) -> None:
    assert scenario_name(path) is None
