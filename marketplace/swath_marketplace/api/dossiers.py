"""Dossiers over HTTP."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, File, Path, Response, UploadFile
from swath_service.errors import Invalid

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.dossiers import Dossier

router = APIRouter(tags=["dossiers"])

_PATH = "/algorithms/{owner}/{name}/versions/{version}/dossier"

#: The files are an author's: nothing in them may act in a browser that shows them from here.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}


@router.put(_PATH, status_code=201)
def put(
    owner: Owner,
    name: Name,
    *,
    version: Version,
    files: Annotated[list[UploadFile], File()],
    response: Response,
    actor: Caller,
    services: Services,
) -> dict[str, Any]:
    """Put files beside a version, each part's filename its path: 201 a new dossier, 200 the latest is the same."""
    contents: dict[str, bytes] = {}
    for file in files:
        path = file.filename or ""
        if path in contents:
            message, mend = f"the file {path[:100]!a} came twice", "send each file once"
            raise Invalid(
                code="dossier-invalid",
                message=message,
                mend=mend,
                findings=[{"field": path[:100], "message": message, "mend": mend}],
            )
        contents[path] = file.file.read()
    done = services.dossiers.put(actor, f"{owner}/{name}@{version}", contents)
    if not done.created:
        response.status_code = 200
    return _shaped(services, done.version, done.dossier)


@router.get(_PATH)
def get(owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services) -> dict[str, Any]:
    """What stands beside a version: files, scenarios, and every dossier that was put."""
    path = f"{owner}/{name}@{version}"
    found, dossier = services.dossiers.get(actor, path)
    earlier = [
        {"number": one.sequence, "digest": one.digest, "put_by": one.put_by, "put_at": iso(one.put_at)}
        for one in services.dossiers.history(actor, path)
    ]
    return {**_shaped(services, found, dossier), "history": earlier}


@router.get(_PATH + "/files/{path:path}")
def file(
    owner: Owner,
    name: Name,
    *,
    version: Version,
    path: Annotated[str, Path(max_length=300)],
    actor: Caller,
    services: Services,
) -> Response:
    """One file of a version's dossier, as it was put."""
    _, dossier = services.dossiers.get(actor, f"{owner}/{name}@{version}")
    content = services.dossiers.file(dossier, path)
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    headers = {**_HEADERS, "ETag": f'"{dossier.files[path]}"'}
    return Response(content, media_type=media_type, headers=headers)


def _shaped(services: Services, version: AlgorithmVersion, dossier: Dossier) -> dict[str, Any]:
    here = f"{services.shapes.version(version)['links']['self']}/dossier"
    return {
        "algorithm": version.path,
        "version": version.version,
        "version_digest": version.digest,
        "number": dossier.sequence,
        "digest": dossier.digest,
        "put_by": dossier.put_by,
        "put_at": iso(dossier.put_at),
        "files": [
            {"path": path, "sha256": sha256, "href": f"{here}/files/{path}"}
            for path, sha256 in sorted(dossier.files.items())
        ],
        "scenarios": [{"name": scenario.name, **scenario.as_dict()} for scenario in dossier.scenarios],
        "links": {"self": here},
    }
