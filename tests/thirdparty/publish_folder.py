"""Publish or refuse every notebook of a folder, run what was published, and compare its ending with nbclient's.

    python tests/thirdparty/publish_folder.py FOLDER --python ENVIRONMENT/bin/python

Each notebook is tried as it stands; one that is refused is tried again with what an author would mend first: a block
``swath``, no stored outputs, annotations on plain literal parameters, the kernel ``python3``. Ends with 1 when a run
says ``finished`` although nbclient, executing the same cells, met an error or did not reach the end.
"""

from __future__ import annotations

import argparse
import ast
import collections
import copy
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))
from plain_swath import PlainSwath

#: Executes as nbclient does, but counts ``SystemExit`` as what it is, and says whether each code cell was reached.
ORACLE = """
import sys, nbformat, nbclient
nb = nbformat.read(sys.argv[1], as_version=4)
client = nbclient.NotebookClient(nb, timeout=150, kernel_name="python3", allow_errors=False)
client.execute()
code = [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]
ok = all(c.execution_count for c in code) and not any(o.output_type == "error" for c in code for o in c.outputs)
sys.exit(0 if ok else 1)
"""


def mended(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """What an author would do first to get it published."""
    copied = copy.deepcopy(notebook)
    meta = copied.setdefault("metadata", {})
    meta["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    meta.pop("language_info", None)
    meta["swath"] = {"name": name, "title": name, "summary": "Third party", "license": "BSD-3-Clause"}
    copied["nbformat"], copied["nbformat_minor"] = 4, 4
    for cell in copied.get("cells", []):
        cell.pop("id", None)
        if cell.get("cell_type") != "code":
            continue
        cell["outputs"], cell["execution_count"] = [], None
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            cell["source"] = annotated("".join(cell["source"]))
    if not any("parameters" in cell.get("metadata", {}).get("tags", []) for cell in copied.get("cells", [])):
        parameters = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "", "outputs": []}
        copied["cells"] = [{**parameters, "execution_count": None}, *copied.get("cells", [])]
    return copied


def annotated(source: str) -> str:
    """Plain ``name = literal`` lines with the literal's type."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = []
    for node in tree.body:
        text = ast.unparse(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and len(node.targets) == 1:
            kind = type(node.value.value).__name__
            kind = "str | None" if kind == "NoneType" else kind
            text = f"{ast.unparse(node.targets[0])}: {kind} = {ast.unparse(node.value)}"
        lines.append(text)
    return "\n".join(lines)


def ends_well(python: Path, notebook: dict[str, Any]) -> bool:
    """Whether nbclient, in an empty folder, executes every cell without an error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        path.write_text(json.dumps(notebook))
        done = subprocess.run(
            [python, "-c", ORACLE, str(path)], cwd=folder, capture_output=True, check=False, timeout=120
        )
        return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swath-thirdparty-") as scratch:
        swath = PlainSwath(Path(scratch) / "data", python=options.python.absolute(), editable=False, users=["tess"])
        try:
            for service in ("quota", "marketplace"):
                swath.start(service)
            for service in ("quota", "marketplace"):
                swath.wait_ready(service)
            return walk(swath, options.folder, options.python.absolute())
        finally:
            swath.close()


def walk(swath: PlainSwath, folder: Path, python: Path) -> int:
    counts: collections.Counter[str] = collections.Counter()
    lies = 0
    with swath.client("tess") as http:
        for number, path in enumerate(sorted(folder.rglob("*.ipynb"))):
            try:
                notebook = json.loads(path.read_text())
            except ValueError:
                notebook = None
            as_is = http.post("algorithms", json={"notebook": notebook})
            counts[f"as it stands: {'published' if as_is.status_code < 300 else 'refused'}"] += 1
            if as_is.status_code >= 500:
                print(f"{path.name}: answered {as_is.status_code}")
                lies += 1
            again = notebook
            if as_is.status_code >= 300 and isinstance(notebook, dict):
                again = mended(notebook, f"third-{number}")
            answer = http.post("algorithms", json={"notebook": again})
            if answer.status_code >= 300:
                codes = sorted({finding["code"] for finding in answer.json().get("findings", [])})
                print(f"{path.name}: refused, also mended: {codes or answer.json().get('code')}")
                counts["mended: refused"] += 1
                continue
            counts["mended: published"] += 1
            run = run_it(http, answer.json())
            truth = ends_well(python, again)
            code = (run["error"] or {}).get("code", "")
            counts[f"run: {run['status']} {code}".rstrip()] += 1
            lie = run["status"] == "finished" and not truth
            lies += lie
            said = f"{run['status']} {code}".rstrip()
            print(f"{path.name}: {said}; nbclient: {'every cell ran' if truth else 'error'}{' LIE' if lie else ''}")
    print(json.dumps(counts, indent=1))
    print(f"{lies} false endings")
    return 1 if lies else 0


def run_it(http: Any, version: dict[str, Any]) -> dict[str, Any]:
    needed = {parameter["name"]: 1 for parameter in version["interface"]["parameters"] if parameter.get("required")}
    body = {"algorithm": f"{version['owner']}/{version['name']}@{version['version']}", "parameters": needed}
    made = http.post("runs", json=body)
    made.raise_for_status()
    while True:
        run: dict[str, Any] = http.get(f"runs/{made.json()['id']}").json()
        if run["status"] in {"finished", "error", "canceled"}:
            return run
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
