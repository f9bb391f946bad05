"""What is said of a door beyond what FastAPI sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model


class Word(BaseModel):
    """A thing of an answer. Members may be added to it; none goes away, and none changes its meaning."""

    model_config = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """What is said of one door; every member has a default that is true of most."""

    id: str
    """``operationId``: stable, since programs that were generated call it so."""
    answer: type[BaseModel] | dict[str, Any] | str | None = None
    """What it answers: a model, a JSON schema, the media type of bytes, or nothing that can be said."""
    media_type: str = "application/json"
    """Of a model or schema."""
    also: Mapping[int, str] = field(default_factory=dict)
    """Further good statuses with the same answer, and what each means."""
    refusals: tuple[int, ...] = ()
    """Statuses of problem documents beside those that every such door has."""
    open: bool = False
    """Whether anybody may ask, without a token."""
    leads: Mapping[str, str] = field(default_factory=dict)
    """Further doors by id, and the member of the answer that opens them, as ``run_id=id``."""


def page_of(title: str, member: str, item: type[BaseModel], **more: Any) -> type[BaseModel]:
    """The model of a page of a list, its items under `member`."""
    fields: dict[str, Any] = {member: (list[item], ...), **more}  # type: ignore[valid-type]
    return create_model(title, __base__=ListPage, __doc__=f"A page of a list of {member}.", **fields)


class PageLinks(Word):
    next: str | None
    """Where the next page is; null at the end."""


class ListPage(Word):
    total: int
    """How many there are in all, now."""
    limit: int
    offset: int | None
    """Null for a page that was asked for by a cursor."""
    next_offset: int | None
    next_cursor: str | None
    """Where the next page begins, whatever is added meanwhile; null at the end."""
    links: PageLinks
