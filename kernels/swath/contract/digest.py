"""What makes two versions the same: canonical JSON and digests."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_BLOCK_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The one way to write `value` as JSON, after RFC 8785 (JCS).

    Members are sorted by UTF-16 code units, nothing is escaped that need not be, and numbers are written as
    ECMAScript does, so ``1.0`` and ``1`` are the same. One difference: integers beyond 2^53 keep all their digits.

    Raises
    ------
    ValueError
        NaN, infinities, lone surrogates, members that are not strings, values that JSON has not, or nesting too deep.
    """
    try:
        return _written(value).encode()
    except RecursionError:
        raise ValueError("nested too deeply for JSON") from None


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("members of a JSON object are strings")
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_string(key)}:{_written(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_written(item) for item in value) + "]"
    raise ValueError(f"JSON has no {type(value).__name__}")


def _string(value: str) -> str:
    # What json.dumps(value, ensure_ascii=False) writes, without making an encoder for each string.
    return encode_basestring(value)


def _number(value: float) -> str:
    """`value` as ECMAScript's Number::toString writes it (section 6.1.6.1.20)."""
    if not math.isfinite(value):
        raise ValueError("JSON has no NaN and no infinity")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + ("" if fraction == "0" else fraction)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def version_digest(*, notebook: bytes, interface: Mapping[str, Any], environment_lock_sha256: str) -> str:
    """The identity of a version: ``sha256:<hex>`` over its notebook, its interface and its environment's lock.

    Parameters
    ----------
    notebook
        The bytes that are stored and run. Two files that differ in white space alone are two versions; give
        ``canonical_json`` of the parsed notebook where that is not wanted.
    interface
        ``Interface.as_dict()``.
    environment_lock_sha256
        Of the lock file's bytes, with or without the prefix ``sha256:``.
    """
    lock = _SHA256.fullmatch(environment_lock_sha256)
    if lock is None:
        raise ValueError("environment_lock_sha256 is not a SHA-256 in lower-case hexadecimal")
    identity = {
        "format": "swath-version-1",
        "notebook_sha256": sha256_bytes(notebook),
        "interface": interface,
        "environment_lock_sha256": lock[1],
    }
    return f"sha256:{sha256_bytes(canonical_json(identity))}"
