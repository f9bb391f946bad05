"""Verbs about algorithms: validate, publish, show, environments, yank."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.exits import Exit
from swath.cli.output import AsJson, print_facts, print_json, print_table, remark
from swath.client import algorithms as catalogue
from swath.client import session
from swath.client.algorithms import FINDING_COLUMNS, Findings, Reference
from swath.client.errors import NotSignedIn
from swath.display import clean, time_text

_UNITS = {"cpus": "cores", "memory_mb": "MB", "wall_seconds": "seconds at most"}

Notebook = Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="The saved .ipynb file.")]
Named = Annotated[str, typer.Argument(metavar="OWNER/NAME[@RANGE]", help="An algorithm, and which version of it.")]


def validate(notebook: Notebook, as_json: AsJson = False) -> None:
    """Check a notebook and show everything that keeps it from being published.

    The notebook is read on this machine and not run; exit code 5 when there is something to mend.
    """
    try:
        api = session.connection()
    except NotSignedIn:
        api = None
    found = catalogue.validate(api, notebook)
    if as_json:
        print_json(
            {
                "ok": found.ok,
                "findings": [dict(one) for one in found.findings],
                "interface": found.interface,
                "environments_checked": found.environments_checked,
            }
        )
    else:
        if found.findings:
            print_table(FINDING_COLUMNS, Findings(found=found.findings).rows())
        print(found.verdict)
        if not found.environments_checked:
            remark("Not signed in, or the hub is away: the environment's name was not checked.")
    raise typer.Exit(Exit.OK if found.ok else Exit.INVALID)


def publish(
    notebook: Annotated[
        Path,
        typer.Argument(metavar="NOTEBOOK|FOLDER", help="The saved .ipynb file, or a folder with notebook.ipynb in it."),
    ],
    version: Annotated[str | None, typer.Option(help="In place of the version in the notebook's metadata.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a notebook as a version of an algorithm.

    Of a folder the other files (README.md, scenarios/, references/, ...) are put beside the version.
    """
    done = catalogue.publish(session.connection(), notebook, version=version)
    if as_json:
        told = {**done.data, "created": done.created, "findings": [dict(one) for one in done.findings]}
        print_json({**told, "dossier": dict(done.dossier)} if done.dossier else told)
        return
    print(done.verdict)
    if done.findings:
        print_table(FINDING_COLUMNS, Findings(found=done.findings).rows())


def show(algorithm: Named, as_json: AsJson = False) -> None:
    """Show an algorithm's versions, parameters and outputs."""
    api, reference = session.connection(), Reference.parse(algorithm)
    version = api.json("GET", reference.version_path)
    whole = api.json("GET", reference.path)
    if as_json:
        print_json({"algorithm": whole, "version": version})
        return
    print_facts(
        [
            ("algorithm", f"{version.get('owner')}/{version.get('name')}@{version.get('version')}"),
            *((word, version.get(word) or "") for word in ("title", "summary", "license")),
            ("keywords", ", ".join(map(str, version.get("keywords") or ()))),
            ("references", ", ".join(map(str, version.get("references") or ()))),
            ("environment", (version.get("environment") or {}).get("name", "")),
            ("resources", _resources_words(version.get("resources") or {})),
            ("digest", version.get("digest") or ""),
            ("maturity", version.get("maturity") or ""),
            ("published", time_text(version.get("published_at"))),
            ("yanked", version.get("yank_reason") or ""),
            ("versions", ", ".join(_version_words(one) for one in whole.get("versions") or ())),
        ]
    )
    interface = version.get("interface") or {}
    if parameters := interface.get("parameters"):
        print("\nParameters")
        print_table(("name", "type", "default", "description"), [_parameter_row(one) for one in parameters])
    if outputs := interface.get("outputs"):
        print("\nOutputs")
        rows = [(one.get("name"), one.get("media_type") or "-", one.get("description") or "") for one in outputs]
        print_table(("name", "type", "description"), rows)


def _version_words(one: Mapping[str, Any]) -> str:
    return f"{one.get('version')}{' (yanked)' if one.get('yanked_at') else ''}"


def _resources_words(told: Mapping[str, Any]) -> str:
    words = [f"{told[name]} {unit}" for name, unit in _UNITS.items() if name in told]
    return ", ".join([*words, *(["Dask"] if told.get("dask") else [])])


def _parameter_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    from swath.contract.fields import ContractError
    from swath.contract.kinds import ParameterType

    try:
        kind = str(ParameterType.from_dict(one.get("type")))
    except ContractError:
        # A newer server may know types that this client does not.
        kind = json.dumps(one.get("type"))
    default = "required" if one.get("required") else json.dumps(one.get("default"))
    return str(one.get("name")), kind, default, str(one.get("description") or "")


def environments(as_json: AsJson = False) -> None:
    """List the environments that a notebook may name."""
    found = catalogue.environments(session.connection())
    if as_json:
        print_json({"environments": found})
    else:
        rows = [(one.get("name"), one.get("title") or "", str(one.get("lock_sha256") or "")[:12]) for one in found]
        print_table(("name", "title", "lock"), rows)


def yank(
    algorithm: Annotated[str, typer.Argument(metavar="OWNER/NAME@VERSION", help="One exact version.")],
    reason: Annotated[str, typer.Option(help="Why; callers are told.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw a version of your algorithm, with a reason.

    Ranges no longer resolve to it; what ran stays as it is.
    """
    api, reference = session.connection(), Reference.parse(algorithm)
    told = api.json("POST", f"{reference.version_path}/yank", json={"reason": reason})
    if as_json:
        print_json(told)
    else:
        print(clean(f"Yanked {reference}: {reason}"))
