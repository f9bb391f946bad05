"""Signed documents as bytes: one way to write each, and any other way refused.

A signature covers bytes, and a program works with what it reads from them. Where a document may be written in many
ways, a changed byte may read the same; here it never does, because only the canonical form is read.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.fields import ContractError

#: Far more than a receipt with ten thousand inputs takes.
MAX_DOCUMENT_BYTES = 64 << 20


def read_canonical(data: bytes, where: str) -> Any:
    """The value of a document in canonical JSON (`swath.contract.digest.canonical_json`).

    Raises
    ------
    ContractError
        It is no JSON, a member stands in it twice, or it is written otherwise than canonically.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ContractError(f"{where}: larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        value = json.loads(data.decode("utf-8", "strict"), object_pairs_hook=_members, parse_constant=_no_constant)
        written = canonical_json(value)
    except ContractError as error:
        raise ContractError(f"{where}: {error}") from None
    except UnicodeDecodeError:
        raise ContractError(f"{where}: not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: not JSON ({str(error)[:100]})") from None
    if written != data:
        at = next((i for i, (one, other) in enumerate(zip(written, data, strict=False)) if one != other), len(written))
        raise ContractError(f"{where}: not in canonical form, from byte {at} on")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ContractError("a member stands in an object twice")
    return found


def _no_constant(name: str) -> Any:
    raise ContractError(f"JSON has no {name}")


def read_base64(text: str, where: str) -> bytes:
    """The bytes of standard base64 with its padding; each has one such text.

    Raises
    ------
    ContractError
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise ContractError(f"{where}: not base64") from None
    if write_base64(data) != text:
        # Unused bits in the last letter would be a second way to write the same.
        raise ContractError(f"{where}: base64 that is not in its one form")
    return data


def write_base64(data: bytes) -> str:
    """`data` as standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def read_hash(text: object, where: str) -> bytes:
    """The 32 bytes of a SHA-256 in lower-case hexadecimal.

    Raises
    ------
    ContractError
    """
    if not isinstance(text, str) or len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ContractError(f"{where}: expected 64 lower-case hexadecimal digits")
    return bytes.fromhex(text)
