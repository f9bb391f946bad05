"""Sphinx's settings. `make docs` treats warnings as errors."""

import sys
from pathlib import Path

for folder in ("docs", "hub", "marketplace", "quota", "archive", "kernels", "service", "sandbox"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

project = "Swath"
author = "The Swath authors"
copyright = "2026, The Swath authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "generated",
]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
html_theme = "furo"
html_title = "Swath"
html_show_sourcelink = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
# Members of a dataclass are attributes already.
napoleon_use_ivar = True
# Two modules may have things of one name; which is meant is plain where it stands.
suppress_warnings = ["ref.python"]
exclude_patterns = ["adr/template.md"]
