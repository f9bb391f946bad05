"""Which folders an interpreter needs inside a sandbox, wherever it was installed."""

from __future__ import annotations

import os
from pathlib import Path

#: Always there inside.
_SYSTEM = (Path("/usr"), Path("/bin"), Path("/lib"), Path("/lib64"), Path("/sbin"))


def python_binds(python: Path, *, editable: bool = False) -> list[Path]:
    """Return the folders to bind read-only, each at its own path, so that `python` works inside a sandbox.

    The virtual environment of `python` if it is one's, the folder that every link on the way to the real interpreter
    goes through, and that interpreter's prefix. Nothing below /usr, which is always there.

    Parameters
    ----------
    editable
        Also the folders that .pth files of the virtual environment name: packages installed in place.

    Raises
    ------
    FileNotFoundError
        When `python` or something it links to does not exist.
    ValueError
        When a prefix would be so wide (a home folder, say) that binding it would show more than a Python.
    """
    python = Path(os.path.abspath(python))
    if not python.exists():
        raise FileNotFoundError(f"there is no interpreter at {python}")
    wanted: list[Path] = []
    for link in _links(python):
        prefix = _prefix(link)
        wanted.append(prefix)
        if prefix.is_symlink():
            # Its scripts and kernels name the folder that the link leads to.
            wanted.append(Path(os.path.realpath(prefix)))
        home = _home(prefix / "pyvenv.cfg")
        if home:
            wanted += [_prefix(hop) for hop in _links(home / python.name)]
            wanted += [home.parent, Path(os.path.realpath(home.parent))]
    if editable:
        wanted += _named_by_pth(python.parent.parent)
    kept: list[Path] = []
    for folder in sorted(set(wanted), key=lambda path: len(path.parts)):
        real = Path(os.path.realpath(folder))
        if any(folder == top or top in folder.parents for top in (*_SYSTEM, *kept)):
            continue
        _refuse_wide(folder, real)
        kept.append(folder)
    return kept


def _prefix(python: Path) -> Path:
    return python.parent.parent if python.parent.name == "bin" else python.parent


def _named_by_pth(prefix: Path) -> list[Path]:
    lines = [line.strip() for file in prefix.glob("lib/python3*/site-packages/*.pth") for line in _lines(file)]
    return [Path(line) for line in lines if line.startswith("/") and Path(line).is_dir()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _links(path: Path) -> list[Path]:
    """`path` and every path that its last component links on to, the real file last."""
    hops = [path]
    for _ in range(40):
        if not hops[-1].is_symlink():
            break
        hops.append(Path(os.path.normpath(hops[-1].parent / hops[-1].readlink())))
    real = Path(os.path.realpath(path))
    return hops if real in hops else [*hops, real]


def _home(config: Path) -> Path | None:
    """The `home` of pyvenv.cfg: the bin folder of the Python that the environment was made from."""
    for line in _lines(config):
        name, _, value = line.partition("=")
        if name.strip().lower() == "home":
            return Path(value.strip())
    return None


def _refuse_wide(folder: Path, real: Path) -> None:
    for path in (folder, real):
        if len(path.parts) < 3 or path == Path.home() or (path.parent == Path("/home")):
            raise ValueError(f"an interpreter's prefix of {path} is too wide to show inside a sandbox")
