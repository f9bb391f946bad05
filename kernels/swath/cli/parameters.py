"""Parameters from the command line: text, read by the types that the algorithm declares."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swath.client.errors import Invalid

_LARGEST_FILE = 64 * 1024 * 1024
_NUMBERS = re.compile(r"\s*-?[\d.]+(?:[eE][+-]?\d+)?\s*(?:,\s*-?[\d.]+(?:[eE][+-]?\d+)?\s*){3}")


class _Wrong(Exception):
    """A value that cannot be read: `args` are message and mend."""


def read(pairs: Sequence[str], *, file: str | None = None, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parameters of ``--params FILE`` and, over them, of every ``-p name=value``.

    Parameters
    ----------
    file
        A JSON object; ``-`` reads standard input.
    schema
        JSON Schema of the algorithm's parameters, by which a value's text is read.

    Raises
    ------
    Invalid
        With a finding for every pair that cannot be read.
    """
    values = _from_file(file) if file else {}
    properties = (schema or {}).get("properties", {})
    findings: list[dict[str, str]] = []
    given: set[str] = set()
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        try:
            if not equals or not name:
                raise _Wrong("is not of the form name=value", "write -p name=value")
            if name in given:
                raise _Wrong("is given twice", "give it once")
            given.add(name)
            values[name] = read_value(text, properties.get(name))
        except _Wrong as wrong:
            findings.append({"field": name or pair, "message": wrong.args[0], "mend": wrong.args[1]})
    if findings:
        raise Invalid("some parameters cannot be read", code="unreadable-parameters", findings=findings)
    return values


def _from_file(file: str) -> dict[str, Any]:
    text = sys.stdin.read(_LARGEST_FILE) if file == "-" else _text_of(Path(file).expanduser())
    try:
        values = _strict(text)
    except ValueError as error:
        raise Invalid(f"{file} is not JSON: {error}", code="unreadable-parameters") from error
    if not isinstance(values, dict):
        raise Invalid(f"{file} holds no JSON object", code="unreadable-parameters", mend='write {"name": value, …}')
    return values


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise Invalid(f"{path} is too large for parameters", code="unreadable-parameters")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(f"{path} cannot be read: {reason}", code="unreadable-parameters") from error


def _strict(text: str) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    value = json.loads(text, parse_constant=refuse)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number beyond what JSON's readers take")
    return value


def read_value(text: str, schema: Mapping[str, Any] | None) -> Any:
    """One value.

    Text for a string, a date or a time is taken as it stands. Everything else is JSON; what is not JSON stays text,
    and the marketplace says what it should have been. ``@file`` is the JSON in a file. Boxes may also be written
    ``west,south,east,north`` and intervals ``start/end``, with ``..`` for an open end.
    """
    kinds = kinds_of(schema)
    if schema and "enum" in schema:
        return _choice(text, schema["enum"])
    if kinds in ({"string"}, {"string", "null"}):
        return None if text == "null" and "null" in kinds else text
    if text.startswith("@") and len(text) > 1:
        return _file_value(text[1:])
    subtypes = _subtypes(schema)
    if "bounding-box" in subtypes and _NUMBERS.fullmatch(text):
        return [float(part) for part in text.split(",")]
    if "temporal-interval" in subtypes and text.count("/") == 1 and not text.lstrip().startswith("["):
        return [None if part.strip() in ("", "..") else part.strip() for part in text.split("/")]
    if kinds and kinds <= {"boolean", "null"} and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return _strict(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("[", "{"):
            raise _Wrong(
                f"is not JSON: {error}", "quote it for your shell, e.g. -p 'bbox=[5.0, 51.2, 5.1, 51.3]'"
            ) from error
        return text


def _file_value(name: str) -> Any:
    try:
        return _strict(_text_of(Path(name).expanduser()))
    except ValueError as error:
        raise _Wrong(f"{name} is not JSON: {error}", "give a file that holds one JSON value") from error
    except Invalid as error:
        raise _Wrong(error.message, "give a file that holds one JSON value") from error


def _choice(text: str, choices: Sequence[Any]) -> Any:
    """The choice that is written like this; text that is none of them is sent as it is, to be refused with the list."""
    if text in choices:
        return text
    return next((choice for choice in choices if not isinstance(choice, str) and json.dumps(choice) == text), text)


def kinds_of(schema: Mapping[str, Any] | None) -> set[str]:
    """The JSON types that a schema allows; empty when it does not say."""
    if not schema:
        return set()
    found: set[str] = set()
    told = schema.get("type")
    found.update([told] if isinstance(told, str) else told or ())
    for word in ("anyOf", "oneOf"):
        for part in schema.get(word) or ():
            found |= kinds_of(part)
    return found


def _subtypes(schema: Mapping[str, Any] | None) -> set[str]:
    if not schema:
        return set()
    found = {str(schema["subtype"])} if "subtype" in schema else set()
    for part in schema.get("anyOf") or ():
        found |= _subtypes(part)
    return found
