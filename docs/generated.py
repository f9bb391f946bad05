"""A Sphinx extension: writes the pages of the reference from the programs themselves, before Sphinx reads any page.

No server is started: an application tells its OpenAPI document without one.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "reference"
SERVICES = {
    "marketplace": "Algorithms, versions, runs, receipts, maturity, and everything around them.",
    "quota": "Wallets, holds, usage, quotes, limits.",
    "archive": "The STAC catalogue of the data next door, and its assets.",
}
#: Page -> what it is about, and the packages or modules whose public things stand there.
PYTHON: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "notebook": (
        "In a notebook",
        ("swath.types", "swath.cube", "swath.emit", "swath.cluster", "swath.checkpoint", "swath.catalogue"),
    ),
    "client": ("The client", ("swath.client",)),
    "compare": ("Comparing results", ("swath.compare",)),
    "contract": ("The contract", ("swath.contract",)),
    "quota": ("The quota service's client", ("swath_quota.client",)),
    "archive": ("The archive service's client", ("swath_archive.client",)),
}


def setup(app: Any) -> dict[str, Any]:
    """Sphinx's way to take an extension in."""
    app.connect("builder-inited", lambda _: write_all(HERE))
    # Alembic's plugins tell of themselves when they are imported.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return {"parallel_read_safe": True}


def write_all(folder: Path) -> None:
    """Every page, anew where it changed."""
    _write(folder / "command.md", "\n".join(_command()))
    pages = {f"http/{name}": list(_service(name, folder)) for name in SERVICES}
    index = ["# HTTP", "", "Each service stands under `/services/<name>/`, and tells its OpenAPI document there.", ""]
    for name, about in SERVICES.items():
        index += [f"## {name}", "", about, "", "```{toctree}", ":maxdepth: 1", "", *pages[f"http/{name}"], "```", ""]
    _write(folder / "http" / "index.md", "\n".join(index))
    for name, (title, places) in PYTHON.items():
        _write(folder / "python" / f"{name}.md", "\n".join(_modules(title, places)))
    listed = ["# Python", "", "```{toctree}", ":maxdepth: 1", "", *PYTHON, "```", ""]
    _write(folder / "python" / "index.md", "\n".join(listed))


# --- Python ----------------------------------------------------------------------------------------------------------


def _modules(title: str, places: Iterable[str]) -> Iterator[str]:
    yield from (f"# {title}", "")
    for place in places:
        module = importlib.import_module(place)
        found = [place]
        if hasattr(module, "__path__"):
            names = (info.name for info in pkgutil.iter_modules(module.__path__, f"{place}."))
            found += [name for name in names if not name.rpartition(".")[2].startswith("_")]
        for name in sorted(found):
            yield from (f"## {name}", "", "```{eval-rst}", f".. automodule:: {name}", "   :members:", "```", "")


# --- the command -----------------------------------------------------------------------------------------------------


def _command() -> Iterator[str]:
    import click
    from swath.cli.app import app
    from swath.cli.verbs import CLIENT, SERVER_HELP, server_verbs
    from typer.main import get_command

    root = get_command(app)
    yield from ("# The command", "", "`swath --help` shows the same in a terminal.", "")
    for name in [*CLIENT, *(verb for verb in SERVER_HELP if verb in server_verbs())]:
        with click.Context(root, info_name="swath") as context:  # type: ignore[arg-type]
            _, command, _ = root.resolve_command(context, [name])  # type: ignore[attr-defined]
        yield from _verb(command, f"swath {name}", level=2)


def _verb(command: Any, title: str, *, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {title}", "", _prose(command.help or ""), "")
    rows = [row for parameter in command.params if (row := _parameter(parameter))]
    if rows:
        yield from ("| argument | what it is |", "|---|---|", *rows, "")
    for name, inner in getattr(command, "commands", {}).items():
        yield from _verb(inner, f"{title} {name}", level=level + 1)


def _parameter(parameter: Any) -> str:
    if getattr(parameter, "hidden", False):
        return ""
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        shown = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        metavar = f" {parameter.metavar}" if parameter.metavar and not parameter.is_flag else ""
        shown = ", ".join(f"`{name}{metavar}`" for name in names)
    return f"| {_cell(shown)} | {_cell(getattr(parameter, 'help', '') or '')} |"


# --- HTTP ------------------------------------------------------------------------------------------------------------


def _service(name: str, folder: Path) -> Iterator[str]:
    module = importlib.import_module(f"swath_{name}.api.app")
    given: dict[str, Any] = {"identity": None, "prefix": f"/services/{name}/"}
    needs: dict[str, dict[str, Any]] = {
        "marketplace": {"context": None, "workers": ()}, "quota": {"desk": None}, "archive": {"archive": None},
    }  # fmt: skip
    with warnings.catch_warnings():
        # Doors that answer GET and HEAD share an operation's id.
        warnings.simplefilter("ignore", UserWarning)
        document = module.make_app(**given, **needs[name]).openapi()
    tags: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            tags.setdefault(tag, []).append((method.upper(), path, operation))
    for tag in sorted(tags):
        page = f"{name}-{tag.replace(' ', '-')}"
        lines = [f"# {name}: {tag}", ""]
        for method, path, operation in tags[tag]:
            lines += _operation(method, path, operation, document)
        _write(folder / "http" / f"{page}.md", "\n".join(lines))
        yield page


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## `{method} {path}`", "", _prose(operation.get("description") or operation.get("summary", "")), "")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| parameter | where | type | what it is |", "|---|---|---|---|")
        for one in parameters:
            need = " (required)" if one.get("required") and one["in"] != "path" else ""
            kind = _type(one.get("schema", {}))
            told = _cell(one.get("description", ""))
            yield f"| `{one['name']}`{need} | {one['in']} | {_cell(kind)} | {told} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from (f"Body, `{media}`:", "")
        yield from _body(content.get("schema", {}), document)
    answers = [f"{status} {answer.get('description', '')}".strip() for status, answer in operation["responses"].items()]
    yield from ("Answers: " + "; ".join(f"`{answer}`" for answer in answers) + ".", "")


def _body(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    found = _resolved(schema, document)
    properties = found.get("properties", {})
    if not properties:
        yield from (f"{_type(found)}", "")
        return
    required = set(found.get("required", ()))
    yield from ("| member | type | what it is |", "|---|---|---|")
    for name, one in properties.items():
        need = " (required)" if name in required else ""
        yield f"| `{name}`{need} | {_cell(_type(one))} | {_cell(one.get('description', ''))} |"
    yield ""


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in (schema, *schema.get("anyOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = document["components"]["schemas"][one["$ref"].rpartition("/")[2]]
            return found
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    kind = str(schema.get("format") or schema.get("type") or "any")
    return f"list of {_type(schema.get('items', {}))}" if schema.get("type") == "array" else kind


# --- writing ---------------------------------------------------------------------------------------------------------


def _prose(text: str) -> str:
    """A docstring's words; headings of it would be headings of the page."""
    lines: list[str] = []
    for line in text.strip().replace("\f", "").splitlines():
        if line.strip() and set(line.strip()) <= {"-", "="}:
            lines[-1] = f"**{lines[-1].strip()}**"
            continue
        lines.append(line.strip().replace("<", "&lt;") if "``" not in line and "`" not in line else line.strip())
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.rstrip() + "\n"
    # What did not change is not read anew.
    if not path.exists() or path.read_text() != content:
        path.write_text(content)
