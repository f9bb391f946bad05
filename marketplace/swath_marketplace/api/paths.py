"""What stands in the addresses of algorithms."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

Owner = Annotated[str, Path(max_length=128)]
Name = Annotated[str, Path(max_length=64)]
Version = Annotated[str, Path(max_length=100)]
