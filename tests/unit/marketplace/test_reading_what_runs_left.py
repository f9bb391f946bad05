"""What a run wrote is believed in nothing but its form, and leads nowhere."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.executors.fake import finishing, process_end, write_report
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, notebook, user

BOB = user("bob")
AT = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _published(world: World) -> None:
    world.registry.publish(user("ada"), notebook())


def after(world: World, script: Any) -> Run:
    """The run whose folder `script` filled."""

    def run_it(run: Run, folder: RunFolder) -> Any:
        write_report(folder, outputs={"double": b"6"})
        script(folder)
        return process_end()

    world.fake.script = run_it
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={}))
    return world.look_until(run.id)


def edit(folder: RunFolder, change: Any) -> None:
    path = folder.out / "report.json"
    report = json.loads(path.read_text())
    change(report)
    path.write_text(json.dumps(report))


def linked(folder: RunFolder) -> None:
    (folder.out / "double.bin").unlink()
    (folder.out / "double.bin").symlink_to("/etc/passwd")


def hard_linked(folder: RunFolder) -> None:
    os.link(folder.out / "double.bin", folder.out / "other")


def linked_folder(folder: RunFolder) -> None:
    (folder.out / "elsewhere").symlink_to("/etc")
    edit(folder, lambda report: report["outputs"][0].update(path="elsewhere/passwd"))


def fifo(folder: RunFolder) -> None:
    (folder.out / "double.bin").unlink()
    os.mkfifo(folder.out / "double.bin")


def outside(folder: RunFolder) -> None:
    edit(folder, lambda report: report["outputs"][0].update(path="../input/spec.json"))


def of_folder(folder: RunFolder) -> None:
    edit(folder, lambda report: report["outputs"][0].update(path="work"))


@pytest.mark.parametrize("script", [linked, hard_linked, linked_folder, fifo, outside, of_folder])
def test_an_output_that_is_no_plain_file_of_the_run_is_not_there(world: World, script: Any) -> None:
    done = after(world, script)
    assert done.error
    assert done.status is RunStatus.ERROR
    assert done.error.code in ("output-missing", "killed")
    assert done.outputs == ()


REPORTS = {
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "too large": b" " * (9 << 20),
    "contradicts itself": b'{"ending": "finished", "error": {"code": "cell-failed"}}',
    "unknown ending": b'{"ending": "splendid"}',
}


@pytest.mark.parametrize("content", REPORTS.values(), ids=REPORTS)
def test_a_report_that_cannot_be_read_is_no_report(world: World, content: bytes) -> None:
    done = after(world, lambda folder: (folder.out / "report.json").write_bytes(content))
    assert done.error
    assert (done.status, done.error.code) == (RunStatus.ERROR, "killed")
    assert done.cost_millicredits, "a notebook that spoils its report is not free"


def test_a_linked_report_is_not_followed(world: World, tmp_path: Path) -> None:
    good = tmp_path / "good.json"

    def script(folder: RunFolder) -> None:
        (folder.out / "report.json").rename(good)
        (folder.out / "report.json").symlink_to(good)

    assert after(world, script).status is RunStatus.ERROR


def test_sizes_and_digests_are_measured_again(world: World) -> None:
    def script(folder: RunFolder) -> None:
        edit(folder, lambda report: report["outputs"][0].update(bytes=10**9, sha256="0" * 64))

    (output,) = after(world, script).outputs
    assert output.bytes == 1
    assert output.sha256 == "e7f6c011776e8db7cd330b54174fd76f7d0216b612387a5ffcfb81e6f0919683"


def test_outputs_that_nobody_declared_are_left_out(world: World) -> None:
    def script(folder: RunFolder) -> None:
        (folder.out / "x").write_bytes(b"x")
        edit(folder, lambda report: report["outputs"].append({**report["outputs"][0], "name": "loot", "path": "x"}))

    done = after(world, script)
    assert done.status is RunStatus.FINISHED
    assert [output.name for output in done.outputs] == ["double"]


def test_two_outputs_may_be_one_file(world: World) -> None:
    world.registry.publish(
        user("ada"), notebook("import swath\nswath.emit('double', {})\nswath.emit('copy', {})"), version="2.0.0"
    )

    def script(folder: RunFolder) -> None:
        edit(folder, lambda report: report["outputs"].append({**report["outputs"][0], "name": "copy"}))

    done = after(world, script)
    assert {output.name: output.sha256[:4] for output in done.outputs} == {"double": "e7f6", "copy": "e7f6"}


def test_a_media_type_that_is_none_becomes_plain_bytes(world: World) -> None:
    def script(folder: RunFolder) -> None:
        edit(folder, lambda report: report["outputs"][0].update(media_type="text/html\r\nX-Evil: 1"))

    (output,) = after(world, script).outputs
    assert output.media_type == "application/octet-stream"


def test_text_that_cannot_be_encoded_is_mended(world: World) -> None:
    def script(run: Run, folder: RunFolder) -> Any:
        error = {"code": "cell-failed", "message": "bad \ud800 text", "cell": 1, "traceback": "\udfff"}
        write_report(folder, outputs={}, error=error)
        return process_end(exit_code=1)

    world.fake.script = script
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={}))
    done = world.look_until(run.id)
    assert done.error
    assert done.error.message.encode()
    assert done.error.cell == 1


def logs(tmp_path: Path, content: bytes) -> EventLogs:
    folders = RunFolders(tmp_path / "logs")
    folders.of("a1").prepare(spec={}, notebook=b"{}", uid=1)
    (folders.of("a1").out / "events.jsonl").write_bytes(content)
    return EventLogs(folders)


def line(seq: int, **more: Any) -> bytes:
    return (
        json.dumps({"seq": seq, "at": AT, "type": "log", "stream": "stdout", "text": "hi\n", **more}).encode() + b"\n"
    )


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    found = logs(
        tmp_path,
        line(0)
        + b"nonsense\n"
        + b"[" * 10_000
        + b"\n"
        + b"x" * 400_000
        + b"\n"
        + line(1, text="\ud800")
        + line(2)[:-5],
    )
    assert [logged.event.seq for logged in found.read("a1")] == [0, 1]
    assert "".join(found.text("a1")) == "hi\n?"


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    found = logs(tmp_path, line(0) + line(1) + line(2))
    first = next(found.read("a1"))
    assert [logged.event.seq for logged in found.read("a1", start=first.end)] == [1, 2]
    assert list(found.read("a1", start=10**6)) == []
    assert list(found.read("other1")) == []


def test_progress_never_goes_back_and_is_whole_only_at_the_end(tmp_path: Path) -> None:
    content = b"".join(line(i, type="progress", fraction=fraction) for i, fraction in enumerate([0.2, 0.7, 0.3]))
    found = logs(tmp_path, content)
    assert found.progress("a1") == pytest.approx(0.7)
    with (tmp_path / "logs/a1/out/events.jsonl").open("ab") as file:
        file.write(line(3, type="progress", fraction=1.0))
    assert found.progress("a1") < 1


def test_what_is_collected_again_is_the_same(world: World) -> None:
    world.fake.script = finishing(outputs={"double": b"6"})
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={}))
    done = world.look_until(run.id)
    collector = world.made.reconciler._stepper._collector
    again = collector.collect(done, process_end())
    assert again.outputs == done.outputs
    assert again.ending.outcome is done.status


def test_clearing_leaves_the_log_and_no_scratch(tmp_path: Path) -> None:
    folder = RunFolders(tmp_path / "runs").of("a1")
    folder.prepare(spec={}, notebook=b"{}", uid=os.geteuid() or 1)
    (folder.out / "events.jsonl").write_bytes(line(0))
    write_report(folder, outputs={"double": b"6"})
    deep = folder.out / "work"
    for _ in range(200):
        deep = deep / "d"
        deep.mkdir()
    (folder.out / "link").symlink_to("/etc")
    assert folder.keep("double", "double.bin") == (1, sha256(b"6").hexdigest())
    for _ in range(3):
        folder.clear()
        left = sorted(path.name for path in folder.out.iterdir())
        assert left == [".cleared", "events.jsonl", "report.json"]
        assert not (folder.path / "out.trash").exists()
        assert (folder.out / "events.jsonl").stat().st_uid == os.geteuid()
    assert folder.result("double").read_bytes() == b"6"
    assert Path("/etc/hostname").parent.is_dir()


@pytest.mark.parametrize("step", ["out.partial", "out.kept", "out.trash"])
def test_clearing_cut_off_half_way_is_gone_on_with(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolders(tmp_path / "runs").of("a1")
    folder.prepare(spec={}, notebook=b"{}", uid=os.geteuid() or 1)
    (folder.out / "events.jsonl").write_bytes(line(0))
    rename = Path.rename

    def cut(path: Path, target: Path) -> Path:
        if step in (path.name, target.name) and not done:
            done.append(step)
            raise KeyboardInterrupt
        return rename(path, target)

    done: list[str] = []
    monkeypatch.setattr(Path, "rename", cut)
    with pytest.raises(KeyboardInterrupt):
        folder.clear()
    folder.clear()
    assert (folder.out / "events.jsonl").read_bytes() == line(0)
    assert sorted(path.name for path in folder.path.iterdir()) == ["control", "input", "out"]


def closed(folder: RunFolder) -> None:
    (folder.out / "double.bin").chmod(0)
    folder.out.chmod(0o555)


def long_name(folder: RunFolder) -> None:
    edit(folder, lambda report: report["outputs"][0].update(path="x" * 5000))


def nested(folder: RunFolder) -> None:
    deep = folder.out / "work"
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()


@pytest.mark.parametrize("script", [closed, long_name, nested])
def test_whatever_a_run_does_to_its_folder_it_is_judged_and_paid(world: World, script: Any) -> None:
    done = after(world, script)
    assert done.error is None or done.error.code in ("output-missing", "killed")
    assert done.cost_millicredits
