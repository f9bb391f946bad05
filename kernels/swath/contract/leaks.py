"""What must not be published with a notebook: secrets, and paths that exist only on its author's machine."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from swath.contract.findings import Findings
from swath.contract.source import Code

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20}")),
    ("a Slack token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30}")),
    ("a PyPI token", re.compile(r"\bpypi-AgEIcHlwaS[A-Za-z0-9_-]{20}")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5}")),
    (
        "a token in a header",
        re.compile(r"(?i)\b(?:bearer|token|basic)\s+(?=[A-Za-z._~+/-]{0,60}[0-9])[A-Za-z0-9._~+/-]{20,}={0,2}"),
    ),
    ("a password in a URL", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@{}\"'<>$]{1,80}:[^/\s@{}\"'<>$]{3,80}@")),
)
#: Names whose value is a password, whatever it looks like.
_PASSWORD_NAME = re.compile(r"(?i)(?:^|[_\W])(?:password|passwd|passphrase|passcode|pwd)$")
#: Names whose value is a credential if it looks like one.
SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\W])(?:password|passwd|passphrase|passcode|pwd|token|secret|credentials?"
    r"|(?:api|access|secret|private|auth|account)_?key(?:_?id)?|(?:client|consumer)_?secret)$"
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:[.*x_\-\s]*|none|null|todo|change_?me|secret|password|token|example.*|test|dummy|your[_\- ].*"
    r"|<.*>|\$\{?.*|\{\{?.*|.*(?:placeholder|redacted).*)$"
)
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.~:\-]{12,}")
_MEND_LEAK = (
    "remove it, and revoke it wherever it was valid: every version of this file still holds it; "
    "a run needs no token for the archive"
)

_HOME = re.compile(
    r"(?<![\w.\-/~:%}])(?:/(?:home|Users)/[\w.-]|/root/[\w.-]|file://)|(?<![A-Za-z0-9])[A-Za-z]:[\\/]+Users\b"
)
_ROOTS = (
    "home|Users|root|mnt|media|data\\d*|scratch|work|workspace|srv|opt|var|etc|usr|private|Volumes|nfs|net|export|"
    "projects?|shared|storage|lustre|gpfs|archive|eodata|content|kaggle|drives?|run"
)
_ABSOLUTE = re.compile(
    rf"(?:/(?:{_ROOTS})/[^/\s]|/(?:archive|eodata)$|~/[\w.]|[A-Za-z]:(?:\\+|/)[\w.]|\\\\[\w.]+\\[\w.])"
)
_MEND_PATH = (
    "read data with swath.open_cube or from os.environ['SWATH_ARCHIVE'], write below the working folder "
    "or with swath.emit; a run has no other files (/tmp is there)"
)


def find_secrets(cell: int, text: str, findings: Findings) -> None:
    """Report what looks like a credential in any cell's text; never repeats it."""
    for number, line in enumerate(text.split("\n"), start=1):
        for what, pattern in _PATTERNS:
            # A line of a megabyte is an embedded picture, and the patterns need no more of it.
            if pattern.search(line[:20_000]):
                _secret(cell, number, what, findings)


def find_assigned_secrets(code: Code, findings: Findings) -> None:
    """Report texts that are given to names such as ``password`` or ``api_key``."""
    for name, value in _named_texts(code.tree):
        text = value.value if isinstance(value, ast.Constant) else None
        if not isinstance(text, str) or _PLACEHOLDER.match(text):
            continue
        if (_PASSWORD_NAME.search(name) and not re.search(r"\s", text)) or (
            SECRET_NAME.search(name) and _looks_random(text)
        ):
            _secret(code.cell, value.lineno, f"a secret assigned to {name[:60]}", findings)


def _secret(cell: int, line: int, what: str, findings: Findings) -> None:
    findings.error("secret", f"this looks like {what}", _MEND_LEAK, cell=cell, line=line)


def _named_texts(tree: ast.Module | None) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from ((name, node.value) for name in _names(target))
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield from ((name, node.value) for name in _names(node.target))
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield target.attr
    elif (
        isinstance(target, ast.Subscript)
        and isinstance(target.slice, ast.Constant)
        and isinstance(target.slice.value, str)
    ):
        yield target.slice.value


def _looks_random(text: str) -> bool:
    """Long, of a token's characters, and with about as many different ones as chance would give."""
    if not _TOKEN.fullmatch(text) or not re.search(r"\d", text) or not re.search(r"[A-Za-z]", text):
        return False
    counts = [text.count(character) for character in set(text)]
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) >= 2.8


def find_paths(code: Code, findings: Findings) -> None:
    """Report absolute paths in the code's texts (an error) and home folders in its comments (a warning)."""
    for line, text in _texts(code.tree):
        if _ABSOLUTE.match(text) or _HOME.search(text):
            findings.error(
                "absolute-path",
                "a path that exists only where this notebook was written",
                _MEND_PATH,
                cell=code.cell,
                line=line,
            )
    for line, comment in code.comments.items():
        _told_home(code.cell, line, comment.text, findings)


def find_told_paths(cell: int, text: str, findings: Findings) -> None:
    """Report home folders in a text cell: they harm no run, but tell of their author's machine."""
    for number, line in enumerate(text.split("\n"), start=1):
        _told_home(cell, number, line, findings)


def _told_home(cell: int, line: int, text: str, findings: Findings) -> None:
    if _HOME.search(text[:20_000]):
        findings.warning(
            "absolute-path",
            "a path of somebody's home folder is told",
            "remove it if readers need not know it",
            cell=cell,
            line=line,
        )


def _texts(tree: ast.Module | None) -> Iterator[tuple[int, str]]:
    """Texts in code as they will be, with ``x`` for what only a run knows."""
    parts: set[int] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.JoinedStr):
            parts.update(id(value) for value in node.values)
            yield node.lineno, "".join(_piece(value) for value in node.values)[:20_000]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            # base + "/data/x" is no absolute path.
            parts.add(id(node.right))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value[:20_000]


def _piece(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "x"
