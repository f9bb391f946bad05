"""What a run leaves behind: live events in order, the executed notebook, a page that loads nothing, records."""

from __future__ import annotations

import json
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

pytestmark = pytest.mark.integration

TYPED = [
    {"name": "count", "type": {"kind": "int"}, "required": True, "description": ""},
    {"name": "day", "type": {"kind": "date"}, "required": False, "default": "2020-01-01", "description": ""},
]


def test_events_come_in_order_without_gaps(prepare: Any) -> None:
    folder = prepare(["md:# T", "print('one')", "import sys; print('two', file=sys.stderr)", "3"])
    folder.run()
    events = folder.events()
    assert [event.seq for event in events] == list(range(len(events)))
    assert [(e.type.value, e.cell, e.fraction) for e in events if e.type != "log"] == [
        ("start", None, None),
        ("cell-start", 1, None),
        ("cell-end", 1, None),
        ("progress", None, 0.3333),
        ("cell-start", 2, None),
        ("cell-end", 2, None),
        ("progress", None, 0.6667),
        ("cell-start", 3, None),
        ("cell-end", 3, None),
        ("progress", None, 1.0),
        ("end", None, None),
    ]
    logs = [(event.cell, event.stream, event.text) for event in events if event.type == "log"]
    assert logs == [(1, "stdout", "one\n"), (2, "stderr", "two\n")]
    assert events[0].total_cells == 3
    assert sorted(event.at for event in events) == [event.at for event in events]


def test_a_notebook_reports_its_own_progress(prepare: Any) -> None:
    code = "import swath, time\nfor i in range(4):\n    swath.progress(i / 4, f'tile {i}')\n    time.sleep(0.12)"
    folder = prepare(["import swath", code, "swath.emit('done', True)"], outputs=["done"])
    folder.run()
    told = [(event.fraction, event.message) for event in folder.events() if event.type == "progress"]
    assert told == [(0.0, "tile 0"), (0.25, "tile 1"), (0.5, "tile 2"), (0.75, "tile 3"), (1.0, None)]
    assert [event.name for event in folder.events() if event.type == "output"] == ["done"]


def test_parameters_arrive_typed_in_a_cell_of_their_own(prepare: Any) -> None:
    cells = [
        "md:# T",
        ("import datetime\ncount: int\nday: datetime.date = datetime.date(2020, 1, 1)", "parameters"),
        "assert type(day) is datetime.date and day.year == 2023, day\nassert count == 7",
        "1 / 0",
    ]
    folder = prepare(cells, parameters=TYPED, values={"count": 7, "day": "2023-04-02"})
    report = folder.run()
    assert (report.error.code, report.error.cell) == ("cell-failed", 3)  # counted as its author counts
    assert (report.cells_total, report.cells_run) == (3, 2)
    notebook = folder.notebook()
    tags = [cell.metadata.get("tags") for cell in notebook.cells]
    assert tags[1:5] == [[], ["parameters"], ["injected-parameters"], []]
    assert notebook.metadata.papermill.parameters == {"count": 7, "day": "2023-04-02"}
    cells_told = [event.cell for event in folder.events() if event.type == "cell-start"]
    assert cells_told == [1, 2, 3]


def test_a_parameters_value_is_never_code(prepare: Any) -> None:
    text = '\'); import os; os._exit(3) #\n""" \\'
    parameter = {"name": "text", "type": {"kind": "str"}, "required": True, "description": ""}
    cells = [("text: str", "parameters"), f"assert text == {text!r}"]
    assert prepare(cells, parameters=[parameter], values={"text": text}).run().error is None


def test_the_kernel_sees_no_secret(prepare: Any) -> None:
    folder = prepare(["import os; print(sorted(os.environ)); print(os.environ['SWATH_ARCHIVE'], os.getcwd())"])
    secrets = dict.fromkeys(
        ("JUPYTERHUB_API_TOKEN", "SWATH_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD"), "hush-hush-4711"
    )
    report = folder.run(environment={**secrets, "SWATH_ARCHIVE": "/archive"})
    assert report.error is None
    assert not {name for name in secrets if name in folder.log()}
    assert f"/archive {folder.path.resolve()}/out/work" in folder.log()
    assert not any(b"hush-hush" in file.read_bytes() for file in (folder.path / "out").rglob("*") if file.is_file())


def test_files_are_recorded_as_they_are_on_disk(prepare: Any) -> None:
    code = "swath.emit('numbers', [1, 2], description='Two numbers')"
    folder = prepare(["import swath", code], outputs=["numbers"])
    report = folder.run()
    record = report.outputs[-1]
    data = (folder.path / "out" / record.path).read_bytes()
    assert json.loads(data) == [1, 2]
    assert (record.sha256, record.bytes) == (sha256(data).hexdigest(), len(data))
    assert (record.media_type, record.description) == ("application/json", "Two numbers")
    assert record.path == "files/numbers.json"


def test_what_the_kernel_writes_into_the_record_is_not_believed(prepare: Any) -> None:
    code = """import json, os, pathlib, swath
swath.emit('good', 1)
record = pathlib.Path(os.environ['SWATH_RUN_DIR'], 'out/outputs.jsonl')
good = json.loads(record.read_text())
lies = [{**good, 'name': 'notebook'}, {**good, 'name': 'up', 'path': '../input/spec.json'}]
lies.append({**good, 'bytes': 0, 'name': 'small'})
record.write_text(json.dumps(good) + '\\n' + 'no json\\n' + ''.join(json.dumps(lie) + '\\n' for lie in lies))"""
    folder = prepare([code])
    report = folder.run()
    assert [output.name for output in report.outputs] == ["notebook", "notebook-html", "good", "small"]
    assert report.outputs[-1].bytes == report.outputs[-2].bytes


def test_the_archives_assets_that_were_read_are_told_once(prepare: Any) -> None:
    code = """import json, os, pathlib
line = json.dumps({'collection': 'c', 'item': 'i', 'asset': 'B04'}) + '\\n'
pathlib.Path(os.environ['SWATH_RUN_DIR'], 'out/inputs.jsonl').write_text(line * 2 + '[]\\n')"""
    report = prepare([code]).run()
    assert [(read.collection, read.item, read.asset) for read in report.inputs] == [("c", "i", "B04")]


def test_endless_output_is_cut_and_the_run_goes_on(prepare: Any) -> None:
    folder = prepare(["print('x' * 30_000_000)", "print('dropped')", "assert True"])
    assert folder.run().error is None
    assert len(folder.log()) < 8_100_000
    assert "output cut here" in folder.log()
    assert (folder.path / "out/output.ipynb").stat().st_size < 9_000_000


class Loads(HTMLParser):
    """Collects what a page would run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "link", "form", "base"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name == "src" and not (value or "").startswith("data:")):
                self.found.append(f"{tag} {name}={value}")
            if name == "href" and (value or "").strip().lower().startswith(("javascript:", "data:")):
                self.found.append(f"{tag} {name}={value}")


def test_the_page_runs_and_loads_nothing(prepare: Any) -> None:
    hostile = r"""from IPython.display import HTML, Javascript, Markdown, display, SVG
bad = '<script src="//evil.example/x.js"></script><img src=x onerror=alert(1)><a href="javascript:alert(1)">go</a>'
display(HTML(bad + '<table><thead><tr><th>head</th></tr></thead></table><iframe src="//evil.example"></iframe>'))
display(Javascript('alert(1)')); display(Markdown(bad))
display(SVG('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'))
display({'text/vnd.mermaid': '<script>alert(1)</script>', 'text/plain': 'kept'}, raw=True)
display({'image/png': 'iVBORw0KGgo='}, metadata={'image/png': {'width': '1 onload=alert(1)'}}, raw=True)
print('<script>alert(2)</script>')"""
    cells = [
        "md:# Title <script>alert(3)</script> <img src=x onerror=alert(1)> `a < b` [x](javascript:alert(1))",
        hostile,
    ]
    folder = prepare(cells)
    assert folder.run().error is None
    page = (folder.path / "out/output.html").read_text()
    loads = Loads()
    loads.feed(page)
    assert loads.found == []
    assert "default-src 'none'" in page.partition("<title>")[0]
    assert "<th>head</th>" in page
    assert "<code>a &lt; b</code>" in page
    assert "kept" in page
    assert "cdnjs" not in page
    assert "unpkg" not in page


def test_the_kernel_is_like_jupyters_and_the_first_to_go_without_memory(prepare: Any) -> None:
    cells = [
        "%%writefile helper.py\nanswer = 42",
        "import helper\nprint(helper.answer, open('/proc/self/oom_score_adj').read().strip())",
        "print(len(In))\nOut",
    ]
    folder = prepare(cells)
    assert folder.run().error is None
    assert "42 1000" in folder.log()
