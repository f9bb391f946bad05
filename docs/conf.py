"""Sphinx's settings. `make docs` treats warnings as errors."""

import sys
from pathlib import Path

for folder in ("hub", "marketplace", "quota", "archive", "kernels", "service", "sandbox"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

project = "Swath"
author = "The Swath authors"
copyright = "2026, The Swath authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Swath"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
exclude_patterns: list[str] = []
