"""Code cells as syntax trees: IPython's own lines made harmless, comments kept, nothing run."""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field

#: What Python's parser raises on hostile text, besides SyntaxError.
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)

_LINE_MAGIC = re.compile(r"(\s*)(?:[%!]|\?{1,2}[\w.%])")
_ASSIGNED_MAGIC = re.compile(r"(\s*[\w.,\s()\[\]]*?=\s*)(?:!|%[A-Za-z])")
_HELP = re.compile(r"(\s*)[\w.%\[\]]+\?{1,2}\s*(?:#.*)?$")
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
#: Cell magics whose body is Python in the notebook's own kernel.
_PYTHON_BODIES = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "python", "python3", "px"})
#: Line magics that define no names.
_HARMLESS = re.compile(
    r"\s*(?:!|%%?(?:matplotlib|config|load_ext|reload_ext|autoreload|time|timeit|pip|conda|mamba|env|cd|pwd|ls|who|whos|prun|memit|warnings)\b"
    r"|\?)"
)
_INSTALL = re.compile(r"\s*[!%]\s*(?:\w+\s+-m\s+)?(?:pip3?|conda|mamba|uv)\s+(?:pip\s+)?install\b")
_UNTOLD_COMMENT = re.compile(r"(?i)(?:noqa|type:|pragma:|pylint:|mypy:|fmt:|isort:|ruff:|%%)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A comment and whether it has its line for itself."""

    text: str
    alone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """One code cell."""

    cell: int
    """0-based position in the notebook."""
    text: str
    """Source with as many lines as the author's, IPython's lines replaced."""
    tree: ast.Module | None
    fault: str = ""
    """Why there is no tree."""
    fault_line: int | None = None
    has_magics: bool = False
    """Whether lines of IPython's own were taken out."""
    may_define_anything: bool = False
    """Whether a magic may bind names that the tree does not show."""
    installs: tuple[int, ...] = ()
    """Lines that install packages."""
    comments: dict[int, Comment] = field(default_factory=dict)
    """By line."""


def read_code(cell: int, source: str) -> Code:
    """The tree of one cell; what cannot be parsed has a `fault` instead."""
    tree, plain, opaque = _parsed(source), source, False
    installs: tuple[int, ...] = ()
    if not isinstance(tree, ast.Module):
        plain, opaque, installs = _without_magics(source)
        tree = _parsed(plain)
    if isinstance(tree, ast.Module):
        return Code(
            cell=cell,
            text=plain,
            tree=tree,
            has_magics=plain != source,
            may_define_anything=opaque,
            installs=installs,
            comments=_comments(plain),
        )
    line = tree.lineno if isinstance(tree, SyntaxError) else None
    return Code(cell=cell, text=plain, tree=None, fault=_spoken(tree), fault_line=line, installs=installs)


def _parsed(text: str) -> ast.Module | BaseException:
    try:
        return ast.parse(text)
    except UNPARSABLE as error:
        return error


def _spoken(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return str(error.msg)[:200]
    if isinstance(error, RecursionError | MemoryError):
        return "nested too deeply"
    return "holds characters or numbers that Python cannot read"


def _without_magics(source: str) -> tuple[str, bool, tuple[int, ...]]:
    lines = source.split("\n")
    opaque = False
    installs: list[int] = []
    kept: list[str] = []
    first = next((position for position, line in enumerate(lines) if line.strip()), 0)
    inside = _Inside()
    continued = False
    for position, line in enumerate(lines):
        begins_statement = not (inside.quote or inside.depth or inside.backslash)
        if continued:
            kept.append("")
            continued = line.endswith("\\")
            continue
        if position == first and (magic := _CELL_MAGIC.match(line)):
            if magic[1] not in _PYTHON_BODIES:
                return "\n" * source.count("\n"), False, ()
            opaque |= magic[1] not in {"time", "timeit"}
            kept.append("")
            continue
        plain = _plain(line) if begins_statement else None
        if plain is None:
            inside.read(line)
            kept.append(line)
            continue
        opaque |= _HARMLESS.match(line) is None and not line.rstrip().endswith("?") and "=" not in plain
        if _INSTALL.match(line):
            installs.append(position + 1)
        continued = line.endswith("\\")
        kept.append(plain)
    return "\n".join(kept), opaque, tuple(installs)


def _plain(line: str) -> str | None:
    """Python that stands in for one of IPython's lines, or ``None`` for a line of Python."""
    if match := _LINE_MAGIC.match(line) or _HELP.match(line):
        return f"{match[1]}pass"
    if match := _ASSIGNED_MAGIC.match(line):
        return f"{match[1]}None"
    return None


class _Inside:
    """Whether the end of what was read so far is inside a string, a bracket or a continued line."""

    def __init__(self) -> None:
        self.quote = ""
        self.depth = 0
        self.backslash = False

    def read(self, line: str) -> None:
        at = 0
        self.backslash = False
        while at < len(line):
            character = line[at]
            if character == "\\":
                self.backslash = at == len(line) - 1
                at += 2
            elif self.quote:
                ends = line.startswith(self.quote, at)
                at += len(self.quote) if ends else 1
                self.quote = "" if ends else self.quote
            elif character in "'\"":
                self.quote = character * 3 if line.startswith(character * 3, at) else character
                at += len(self.quote)
            elif character == "#":
                break
            else:
                self.depth = max(0, self.depth + (character in "([{") - (character in ")]}"))
                at += 1
        if len(self.quote) == 1 and not self.backslash:
            self.quote = ""


def _comments(text: str) -> dict[int, Comment]:
    found: dict[int, Comment] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                said = token.string.lstrip("#").strip()
                alone = not token.line[: token.start[1]].strip()
                if said and not _UNTOLD_COMMENT.match(said):
                    found[token.start[0]] = Comment(text=said, alone=alone)
    except (tokenize.TokenError, *UNPARSABLE):
        pass
    return found


def described(code: Code, first_line: int, last_line: int) -> str:
    """The comment lines right above a statement, then the one at its end."""
    above: list[str] = []
    line = first_line - 1
    while (comment := code.comments.get(line)) and comment.alone:
        above.insert(0, comment.text)
        line -= 1
    trailing = code.comments.get(last_line) or code.comments.get(first_line)
    said = [*above, *([trailing.text] if trailing and not trailing.alone else [])]
    return " ".join(said)[:2000]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imports:
    """What names stand for, as far as import statements tell."""

    origins: dict[str, str]
    """Local name to dotted origin."""
    star: bool
    """Whether some ``import *`` may define any name."""

    def origin(self, node: ast.expr) -> str | None:
        """The dotted origin of a name or attribute: ``t.Literal`` after ``import typing as t`` is typing.Literal."""
        steps: list[str] = []
        while isinstance(node, ast.Attribute):
            steps.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = self.origins.get(node.id)
        if root is None and hasattr(builtins, node.id):
            root = f"builtins.{node.id}"
        return None if root is None else ".".join([root, *reversed(steps)])


def read_imports(codes: Iterable[Code]) -> Imports:
    """Imports anywhere in the cells, also within functions."""
    origins: dict[str, str] = {}
    star = False
    for code in codes:
        for node in ast.walk(code.tree) if code.tree else ():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    origins[name] = alias.name if alias.asname else name
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                if any(alias.name == "*" for alias in node.names):
                    star = True
                    if module == "swath":
                        origins["emit"] = "swath.emit"
                origins.update({alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names})
    return Imports(origins=origins, star=star)
