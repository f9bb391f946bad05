"""Verbs about receipts: verify, receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swath.cli.output import AsJson, RunId, print_json
from swath.client.receipts import Form
from swath.client.verifying import Verdict, Verification, Verifier
from swath.display import clean

#: Exit codes of `verify`, apart from those of the other verbs: a script asks it one question.
CODES = {Verdict.VERIFIED: 0, Verdict.REFUSED: 1, Verdict.UNKNOWN: 2}


def verify(
    file: Annotated[Path, typer.Argument(metavar="RECEIPT|FILE", help="A receipt, or a result of a run.")],
    receipt: Annotated[
        Path | None, typer.Option("--receipt", metavar="FILE", help="The receipt of the result; else the hub is asked.")
    ] = None,
    *,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="Trust these keys alone (`swath receipts keys -o`); asks nobody."),
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--origin", metavar="URN", help="The installation that it has to be from.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody; trust the keys that were kept from before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that a receipt, or a result by its receipt, is what a run really brought back.

    Ends with 0 when it is verified, with 1 when it is refused (unsigned, altered, unknown or revoked key, wrong origin,
    not in the log, a log that was changed or cut off), with 2 when that cannot be told. The keys of a hub are kept when
    they are first seen, in trust.json beside the file of `swath login`; later ones must follow from them.
    """
    found = _verified(file, receipt, keys=keys, origin=origin, offline=offline)
    if as_json:
        print_json(found.as_dict())
    else:
        for check in found.checks:
            print(f"ok  {clean(check)}")
        print("verified" if found.ok else clean(f"{found.verdict.value} ({found.reason}): {found.message}"))
        if found.mend:
            print(clean(f"What to do: {found.mend}"))
    raise typer.Exit(CODES[found.verdict])


def _verified(
    file: Path, receipt: Path | None, *, keys: Path | None, origin: str | None, offline: bool
) -> Verification:
    from swath.client import session
    from swath.client.errors import NotSignedIn

    try:
        api = None if offline or keys is not None else session.connection()
    except NotSignedIn as error:
        return Verification(
            verdict=Verdict.UNKNOWN,
            checks=(),
            reason=error.code,
            message=f"no hub can be asked: {error.message}",
            mend=f"{error.mend}; or give --keys FILE, or --offline",
        )
    return Verifier(api=api, keys_file=keys, origin=origin).file(file, receipt=receipt)


def receipt(
    run: RunId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save it there instead of printing it.")
    ] = None,
    *,
    form: Annotated[Form, typer.Option("--format", help="The receipt itself, or another form of it.")] = Form.DSSE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print or save the signed receipt of a finished run.

    `swath verify` checks it, also where there is no network. With --format it comes as W3C PROV-JSON (prov), as the
    metadata of a Process Run RO-Crate (ro-crate), as a CDSE trace (cdse) or as a STAC Item (stac).
    """
    from swath.client import receipts, session

    content = receipts.fetch(session.connection(), run, form)
    if output is None:
        # What is printed is JSON in any case, and byte for byte what is signed.
        print(content.decode())
        return
    path = receipts.save(content, output, overwrite=force)
    if as_json:
        print_json({"run": run, "format": form.value, "saved": str(path)})
    else:
        print(clean(str(path)))
