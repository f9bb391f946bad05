"""A trace as the traceability service of the Copernicus Data Space Ecosystem has them.

There the time, the origin and the hash algorithm stand outside what is signed. Here ``signature.message`` is canonical
JSON of all other members, so that nothing in the trace is unsigned; and what a trace has no member for (version,
parameters, environment) is in the receipt, whose hash is the trace's id.
"""

from __future__ import annotations

from typing import Any

from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.statements import StatedInput, StatedOutput, Statement
from swath.contract.strict_json import write_base64
from swath.contract.times import moment


def unsigned_trace(statement: Statement, *, receipt_sha256: str) -> dict[str, Any]:
    """All of the trace but its signature.

    ``product.hash`` is that of the single output, or, of several, of the canonical JSON of ``product.contents``.

    Parameters
    ----------
    receipt_sha256
        Hash of the receipt's envelope.
    """
    contents = [{"path": output.name, "hash": output.sha256} for output in statement.outputs]
    return {
        "id": receipt_sha256,
        "origin": statement.origin,
        "timestamp": moment(statement.finished_at),
        "event": "CREATE",
        "obsolescence": None,
        "hash_algorithm": "SHA256",
        "product": {
            "name": f"{statement.algorithm}@{statement.version}/{statement.run_id}",
            "size": sum(output.bytes for output in statement.outputs),
            "hash": _hash(statement.outputs, contents),
            "contents": contents,
            "inputs": [{"name": _name(read), "hash": read.sha256} for read in statement.inputs],
        },
    }


def signed_trace(trace: dict[str, Any], *, signature: bytes, certificate: str) -> dict[str, Any]:
    """The trace with its signature.

    Parameters
    ----------
    signature
        Over `message_of` the trace.
    certificate
        The public key, PEM (SubjectPublicKeyInfo): an installation has no certificate authority over it, its published
        keys say what the key is worth.
    """
    return {
        **trace,
        "signature": {
            "signature": write_base64(signature),
            "algorithm": "Ed25519",
            "certificate": certificate,
            "message": message_of(trace).decode(),
        },
    }


def message_of(trace: dict[str, Any]) -> bytes:
    """What is signed: every member but the signature."""
    return canonical_json({name: value for name, value in trace.items() if name != "signature"})


def _hash(outputs: tuple[StatedOutput, ...], contents: list[dict[str, Any]]) -> str:
    return outputs[0].sha256 if len(outputs) == 1 else sha256_bytes(canonical_json(contents))


def _name(read: StatedInput) -> str:
    item = read.about.get("item")
    return f"{read.about.get('collection')}/{item}/{read.about.get('asset')}" if item else read.uri
