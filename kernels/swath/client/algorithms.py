"""Algorithms and their versions as a caller sees them, and how a notebook becomes one."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from swath.client.errors import Invalid, NotFound, SwathError
from swath.client.http import MARKETPLACE, Api, segment
from swath.display import clean, html_table, text_table

_LARGEST_NOTEBOOK = 32 * 1024 * 1024
_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")
FINDING_COLUMNS = ("cell", "line", "severity", "what is wrong", "mend")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """``owner/name@range``, read."""

    owner: str
    name: str
    range: str = "latest"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read ``owner/name`` or ``owner/name@range``; an owner's name may contain an ``@`` of its own."""
        owner, slash, rest = text.strip().partition("/")
        name, _, wanted = rest.partition("@")
        if not slash or not owner or not _NAME.fullmatch(name) or any(char.isspace() for char in owner):
            raise Invalid(
                f"{clean(text)!r} does not name an algorithm",
                code="bad-reference",
                mend="write owner/name or owner/name@range, e.g. ada/ndvi-timeseries@^1",
            )
        return cls(owner=owner, name=name, range=wanted.strip() or "latest")

    @property
    def path(self) -> str:
        """The algorithm's address below the hub's."""
        return f"{MARKETPLACE}/algorithms/{segment(self.owner)}/{segment(self.name)}"

    @property
    def version_path(self) -> str:
        """The address of the version that the range resolves to."""
        return f"{self.path}/versions/{segment(self.range)}"

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}@{self.range}"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is wrong with a notebook, as a table."""

    found: tuple[Mapping[str, Any], ...] = ()

    def rows(self) -> list[tuple[object, ...]]:
        """Cells of the table; a notebook's cells are counted from 1, as a reader counts."""
        return [
            (
                one["cell"] + 1 if isinstance(one.get("cell"), int) else "-",
                one.get("line") or "-",
                one.get("severity", "error"),
                one.get("message", ""),
                one.get("mend", ""),
            )
            for one in self.found
        ]

    def __repr__(self) -> str:
        return text_table(FINDING_COLUMNS, self.rows()) if self.found else "nothing to mend"

    def _repr_html_(self) -> str:
        return html_table(FINDING_COLUMNS, self.rows())


@dataclass(frozen=True, kw_only=True, repr=False)
class Validation:
    """Whether a notebook can be published, and everything that says otherwise."""

    ok: bool
    findings: tuple[Mapping[str, Any], ...]
    interface: Mapping[str, Any] | None
    """Parameters and outputs as they were read."""
    environments_checked: bool = True
    """Whether the environment's name was looked up at the hub."""

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """One line: whether it can be published."""
        if not self.ok:
            wrong = sum(1 for one in self.findings if one.get("severity", "error") == "error")
            return f"cannot be published: {wrong} thing{'s' if wrong != 1 else ''} to mend"
        parameters = len((self.interface or {}).get("parameters", ()))
        outputs = len((self.interface or {}).get("outputs", ()))
        return f"can be published: {parameters} parameters, {outputs} declared outputs"

    def __repr__(self) -> str:
        return f"{self.verdict}\n{Findings(found=self.findings)!r}" if self.findings else self.verdict

    def _repr_html_(self) -> str:
        return _verdict_html(self.verdict, self.findings)


@dataclass(frozen=True, kw_only=True, repr=False)
class PublishedVersion:
    """A version of an algorithm, which never changes from now on."""

    owner: str
    name: str
    version: str
    digest: str
    created: bool
    """Whether it is new; ``False`` when the very same was published before."""
    findings: tuple[Mapping[str, Any], ...] = ()
    """Warnings: nothing that kept it from being published."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The version as the server tells it."""
    dossier: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside it now, as the server tells it; empty when a notebook alone was published."""

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}@{self.version}"

    @property
    def verdict(self) -> str:
        """One line: what is published now."""
        told = f"{'published' if self.created else 'published before, unchanged'}: {self} ({self.digest})"
        if self.dossier:
            files, scenarios = len(self.dossier.get("files", ())), len(self.dossier.get("scenarios", ()))
            state = "new" if self.dossier.get("created") else "unchanged"
            told += f"\nbeside it: {files} files, {scenarios} scenarios ({state})"
        return clean(told)

    def __repr__(self) -> str:
        return f"{self.verdict}\n{Findings(found=self.findings)!r}" if self.findings else self.verdict

    def _repr_html_(self) -> str:
        return _verdict_html(self.verdict, self.findings)


def _verdict_html(verdict: str, findings: Sequence[Mapping[str, Any]]) -> str:
    """The verdict, above the table of findings where there are any."""
    if not findings:
        return f"<p>{html.escape(verdict)}</p>"
    return html_table(FINDING_COLUMNS, Findings(found=tuple(findings)).rows(), caption=verdict)


COLUMNS = ("algorithm", "latest", "maturity", "title", "summary")


class Algorithms(Sequence[Mapping[str, Any]]):
    """Algorithms that were found, shown as a table; each is a mapping as the server tells it."""

    def __init__(
        self,
        found: Sequence[Mapping[str, Any]],
        *,
        total: int | None = None,
        facets: Mapping[str, Any] | None = None,
        cursor: str | None = None,
        hints: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._found = tuple(found)
        self.total = total if total is not None else len(self._found)
        self.facets = {
            name: {str(one["value"]): int(one["count"]) for one in counts} for name, counts in (facets or {}).items()
        }
        """Facet -> value -> how many algorithms it would bring."""
        self.cursor = cursor
        """Asks for the next page; ``None`` at the end."""
        self.hints = tuple(hints)
        """What to change where nothing was found."""

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def rows(self) -> list[tuple[str, ...]]:
        """Cells of the table."""
        return [
            (
                f"{one.get('owner', '?')}/{one.get('name', '?')}",
                _latest(one),
                str(one.get("maturity") or "-"),
                str(one.get("title") or ""),
                str(one.get("summary") or ""),
            )
            for one in self._found
        ]

    def __repr__(self) -> str:
        return text_table(COLUMNS, self.rows()) if self._found else "no algorithms found"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.rows())


def _latest(one: Mapping[str, Any]) -> str:
    latest = one.get("latest") or one.get("latest_version") or one.get("version")
    return str(latest.get("version", "-") if isinstance(latest, Mapping) else latest or "-")


def find(
    api: Api,
    query: str = "",
    *,
    owner: str | None = None,
    limit: int = 50,
    narrowed: Mapping[str, str | Sequence[str] | None] | None = None,
) -> Algorithms:
    """Algorithms that are found by the words of `query`.

    Parameters
    ----------
    narrowed
        What the server knows of: ``level``, ``collection``, ``band``, ``licence``, ``price``, ``environment``,
        ``author``, ``platform``, ``kind``, ``sort``, ``cursor``. Of several values one has to fit.
    """
    params = {"q": query or None, "owner": owner, "limit": limit}
    told = api.json("GET", f"{MARKETPLACE}/algorithms", params={**params, **(narrowed or {})})
    found = told.get("algorithms", told.get("items", [])) if isinstance(told, Mapping) else told
    whole = told if isinstance(told, Mapping) else {}
    return Algorithms(
        [one for one in found if isinstance(one, Mapping)],
        total=whole.get("total"),
        facets=whole.get("facets"),
        cursor=whole.get("next_cursor"),
        hints=whole.get("hints") or (),
    )


def environments(api: Api) -> list[dict[str, Any]]:
    """The locked environments that a notebook may name."""
    told = api.json("GET", f"{MARKETPLACE}/environments")
    found = told.get("environments", []) if isinstance(told, Mapping) else told
    return [dict(one) for one in found if isinstance(one, Mapping)]


def read_notebook_file(path: str | Path) -> dict[str, Any]:
    """The notebook in a file, as JSON.

    Raises
    ------
    NotFound, Invalid
        There is no such file, or it is no notebook.
    """
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _LARGEST_NOTEBOOK:
            raise Invalid(
                f"{file} is larger than {_LARGEST_NOTEBOOK >> 20} MiB",
                code="notebook-too-large",
                mend="clear its stored outputs",
            )
        notebook = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}", code="no-such-file") from error
    except IsADirectoryError as error:
        raise Invalid(f"{file} is a folder", code="not-a-notebook", mend="give the .ipynb file") from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Invalid(
            f"{file} is not a notebook: it is not JSON", code="not-a-notebook", mend="save it from JupyterLab as .ipynb"
        ) from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Invalid(
            f"{file} is not a notebook of format 4", code="not-a-notebook", mend="save it from JupyterLab as .ipynb"
        )
    return notebook


def publish(api: Api, notebook_path: str | Path, *, version: str | None = None) -> PublishedVersion:
    """Publish the notebook in a file, or a folder with what stands beside it; see `swath.publish`."""
    from swath.client import dossiers
    from swath.scenario_files import NOTEBOOK

    folder = Path(notebook_path).expanduser()
    if not folder.is_dir():
        return _publish_notebook(api, folder, version=version)
    published = _publish_notebook(api, folder / NOTEBOOK, version=version)
    return replace(published, dossier=dossiers.put(api, published, folder))


def _publish_notebook(api: Api, file: Path, *, version: str | None) -> PublishedVersion:
    body: dict[str, Any] = {"notebook": read_notebook_file(file)}
    if version is not None:
        body["version"] = version
    # The same notebook again is the same version: safe to repeat.
    response = api.request("POST", f"{MARKETPLACE}/algorithms", json=body, repeatable=True)
    told = response.json()
    data = told.get("version") if isinstance(told.get("version"), Mapping) else told
    return PublishedVersion(
        owner=str(data.get("owner", "")),
        name=str(data.get("name", "")),
        version=str(data.get("version", "")),
        digest=str(data.get("digest", "")),
        created=response.status_code == 201,
        findings=tuple(one for one in told.get("findings") or () if isinstance(one, Mapping)),
        data=data,
    )


def validate(api: Api | None, notebook_path: str | Path) -> Validation:
    """Check the notebook in a file on this machine; `api` is asked for nothing but the environments' names."""
    from swath.contract.notebook import read_notebook

    notebook = read_notebook_file(notebook_path)
    names: frozenset[str] | None = None
    if api is not None:
        try:
            names = frozenset(str(one.get("name")) for one in environments(api))
        except SwathError:
            # Offline, the notebook itself can still be checked; what was not checked is said.
            names = None
    reading = read_notebook(notebook, environments=names)
    return Validation(
        ok=reading.ok,
        findings=tuple(finding.as_dict() for finding in reading.findings),
        interface=reading.interface.as_dict() if reading.interface else None,
        environments_checked=names is not None,
    )
