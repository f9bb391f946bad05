"""What stands beside a version: the card, scenarios and references of an algorithm's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swath.client.algorithms import PublishedVersion, Reference
from swath.client.errors import Invalid
from swath.client.http import Api
from swath.contract.fields import ContractError
from swath.scenario_files import read_folder


def put(api: Api, published: PublishedVersion, folder: Path) -> dict[str, Any]:
    """Put the files beside the notebook in `folder` beside the version; the same files again change nothing.

    Returns
    -------
    dict
        The dossier as the server tells it, with ``created``.

    Raises
    ------
    Invalid
        With a finding for each file and member that is to be mended; nothing is stored then.
    """
    try:
        files = read_folder(folder)
    except ContractError as error:
        raise Invalid(
            str(error), code="dossier-invalid", mend="mend the folder; the version itself is published"
        ) from error
    if not files:
        return {}
    reference = Reference(owner=published.owner, name=published.name, range=published.version)
    response = api.request("PUT", f"{reference.version_path}/dossier", files=list(files.items()))
    return {**response.json(), "created": response.status_code == 201}


def get(api: Api, reference: Reference) -> dict[str, Any]:
    """What stands beside a version.

    Raises
    ------
    NotFound
    """
    told: dict[str, Any] = api.json("GET", f"{reference.version_path}/dossier")
    return told
