"""A process of pygeoapi's that runs a notebook with papermill: what a pygeoapi server does who offers notebooks."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pygeoapi.process.base import BaseProcessor

_TEXT = {"title": "Text", "schema": {"type": "string"}, "minOccurs": 1, "maxOccurs": 1}
METADATA: dict[str, Any] = {
    "version": "1.0.0",
    "id": "notebook-echo",
    "title": "Echo",
    "description": "The bench's echo notebook",
    "jobControlOptions": ["sync-execute", "async-execute"],
    "keywords": [],
    "links": [],
    "inputs": {"text": _TEXT},
    "outputs": {"text": {"title": "Text", "schema": {"type": "object", "contentMediaType": "application/json"}}},
    "example": {"inputs": {"text": "hello"}},
}


class NotebookEcho(BaseProcessor):
    """Runs the notebook in a process of its own, with the interpreter that Swath's runs use."""

    def __init__(self, processor_def: Any) -> None:
        super().__init__(processor_def, METADATA)
        self.supports_outputs = True

    def execute(self, data: dict[str, Any], outputs: Any = None) -> tuple[str, dict[str, Any]]:  # noqa: ARG002 - its base
        """The text that the notebook gave back."""
        with tempfile.TemporaryDirectory(prefix="pygeoapi-echo-") as folder:
            command = [os.environ["BENCH_PYTHON"], "-m", "papermill", "--no-progress-bar", "-k", "python3"]
            command += ["-p", "text", str(data["text"]), os.environ["BENCH_NOTEBOOK"], f"{folder}/out.ipynb"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            return "application/json", {"id": "text", "value": json.loads(Path(folder, "echoed.json").read_text())}
