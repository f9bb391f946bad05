"""An account's documents as JSON, both ways, and their JSON Schema; every fault of what is read is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from swath.contract.digest import canonical_json
from swath.contract.strict_json import read_canonical
from swath.contract.zips import Fault

from swath_marketplace.domain.account_archive import AccountDocument, ArchivedRun

_ACCOUNT: TypeAdapter[AccountDocument] = TypeAdapter(AccountDocument)
_RUN: TypeAdapter[ArchivedRun] = TypeAdapter(ArchivedRun)
_T = TypeVar("_T")
_MOST_FAULTS = 100


class DocumentInvalid(Exception):
    """A document is not as such a document is; `faults` say where."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def account_json(document: AccountDocument) -> dict[str, Any]:
    """``account.json``."""
    return dict(_ACCOUNT.dump_python(document, mode="json"))


def run_json(document: ArchivedRun) -> dict[str, Any]:
    """``run.json``."""
    return dict(_RUN.dump_python(document, mode="json"))


def read_account(content: bytes, path: str) -> AccountDocument:
    """The account in a file; raises `DocumentInvalid`."""
    return _read(_ACCOUNT, content, path)


def read_run(content: bytes, path: str) -> ArchivedRun:
    """The run in a file; raises `DocumentInvalid`."""
    return _read(_RUN, content, path)


def run_of(stored: Mapping[str, Any]) -> ArchivedRun:
    """The run that `run_json` wrote."""
    return _RUN.validate_python(stored)


def schema() -> dict[str, Any]:
    """JSON Schema of ``account.json`` and ``run.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Swath account's archive",
        "account.json": _ACCOUNT.json_schema(),
        "run.json": _RUN.json_schema(),
    }


def written(value: Any) -> bytes:
    """A document's bytes: canonical JSON, of text that every encoder takes."""
    try:
        return canonical_json(value)
    except ValueError:
        return canonical_json(_writable(value))


def read_plain(content: bytes, path: str) -> Any:
    """Any document that `written` made; raises `DocumentInvalid`."""
    try:
        return read_canonical(content, path)
    except (ValueError, RecursionError) as error:
        raise DocumentInvalid(Fault(code="not-json", field=path, message=str(error)[:300])) from error


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_writable(name): _writable(one) for name, one in value.items()}
    return [_writable(one) for one in value] if isinstance(value, list | tuple) else value


def _read(kind: TypeAdapter[_T], content: bytes, path: str) -> _T:
    try:
        return kind.validate_python(read_plain(content, path))
    except ValidationError as error:
        raise DocumentInvalid(*(_fault(one, path) for one in error.errors()[:_MOST_FAULTS])) from error


def _fault(error: Any, path: str) -> Fault:
    place = ".".join(str(step) for step in error["loc"])[:200]
    return Fault(
        code="bad-document",
        field=f"{path}#{place}" if place else path,
        message=str(error["msg"])[:300],
        mend="send the file as `swath export` saved it; a newer Swath may write what this one does not know",
    )
