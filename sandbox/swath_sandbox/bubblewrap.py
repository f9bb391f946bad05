"""From a `Sandbox` to the arguments of `bwrap`.

Two ways lead to the same sandbox. As root: no user namespace; bwrap keeps three capabilities with which `setpriv`
inside drops the uid and then every capability. As anybody else: a user namespace, further ones disabled.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from swath_sandbox import seccomp
from swath_sandbox.cgroups import Limits
from swath_sandbox.errors import SandboxError, SandboxUnavailable
from swath_sandbox.spec import Sandbox, pair

_ETC = (
    "alternatives", "bash.bashrc", "ca-certificates", "crypto-policies", "fonts", "inputrc", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "magic", "mime.types", "pki/ca-trust", "pki/tls/certs",
    "protocols", "services", "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
#: Says on `ready_fd` that bwrap and setpriv did their part, before any code of the command runs.
_READY = (
    'command -v -- "$1" >/dev/null || { echo "swath: cannot execute $1" >&2; exit 127; }; '
    'echo r >&%d; exec %d>&-; %sexec "$@"'
)
#: Waits until somebody writes a line, or nobody can any more.
_GO = "read -r _ <&%d; exec %d<&-; "


def command(spec: Sandbox, *, ready_fd: int | None = None, go_fd: int | None = None) -> list[str]:
    """Return the arguments that start `spec` in bubblewrap; start them with ``env=dict(spec.env)``.

    Writes the generated files of /etc to `state_folder()`. A variable of the caller's environment that is not in
    ``spec.env`` is unset in case the caller forgets ``env=``.

    Parameters
    ----------
    ready_fd
        An inheritable descriptor below 10 on which ``r`` is written once the sandbox stands and the command is about to
        be executed.
    go_fd
        With `ready_fd`: an inheritable descriptor below 10 from which a line is read after that, before the command is
        executed. At its end the command is executed all the same.

    Raises
    ------
    SandboxUnavailable
        When bwrap (or, as root, setpriv) is not installed.
    """
    bwrap = find_program("bwrap")
    _refuse_led_astray(spec)
    root = os.geteuid() == 0
    inner = [*_drop(spec)] if root else []
    if ready_fd is not None:
        go = _GO % (go_fd, go_fd) if go_fd is not None else ""
        inner += ["/bin/sh", "-c", _READY % (ready_fd, ready_fd, go), "sh"]
    options = [*_namespaces(spec, root=root), *_file_system(spec), *_unset(spec)]
    if not seccomp.supported():
        return [bwrap, *options, "--", *inner, *spec.argv]
    # bwrap reads the filter from a descriptor, which arguments alone cannot open.
    name = _generated("filter", seccomp.program(platform.machine()))
    open_filter = ["/bin/sh", "-c", 'filter=$1; shift; exec "$@" 9<"$filter"', "sh", str(name)]
    return [*open_filter, bwrap, "--seccomp", "9", *options, "--", *inner, *spec.argv]


def bare_command(spec: Sandbox, *, ready_fd: int | None = None) -> list[str]:
    """Return the arguments that start `spec` without bubblewrap, for an operator who allowed it.

    Paths inside become host paths in arguments; nothing is hidden. As root the uid is still dropped.
    """
    inner = [*_drop(spec, "--pdeathsig", "KILL")] if os.geteuid() == 0 else []
    if ready_fd is not None:
        inner += ["/bin/sh", "-c", _READY % (ready_fd, ready_fd, ""), "sh"]
    return [*inner, *(outside(spec, word) for word in spec.argv)]


def outside(spec: Sandbox, text: str) -> str:
    """Translate a path inside (or text that begins with one) to the host's, for a start without bubblewrap."""
    known = {str(target): str(source) for source, target in spec.binds()} | dict(spec.bare_paths)
    for target in sorted(known, key=len, reverse=True):
        if text == target or text.startswith(target + "/"):
            return known[target] + text[len(target) :]
    return text


def python_command(module: str) -> list[str]:
    """Arguments that run ``main()`` of a module of ours quickly: isolated, without site, whatever the environment."""
    home = str(Path(__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {home!r}); from {module} import main; main()"
    return [sys.executable, "-I", "-S", "-c", code]


def enter_command(group: str, limits: Limits, *, allow_no_cgroups: bool = False) -> list[str]:
    """Return the arguments to put before a command so that it starts inside a fresh control group."""
    numbers = ["--memory", str(limits.memory_bytes), "--pids", str(limits.pids), "--cpus", str(limits.cpus)]
    allowed = ["--allow-no-cgroups"] if allow_no_cgroups else []
    return [*python_command("swath_sandbox.enter"), "--group", group, *numbers, *allowed, "--"]


def find_program(name: str) -> str:
    """Absolute path of a system program; never one that a user's PATH smuggles in.

    Raises
    ------
    SandboxUnavailable
        Naming the package that has it.
    """
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        package = {"bwrap": "bubblewrap", "setpriv": "util-linux"}.get(name, name)
        raise SandboxUnavailable(f"the program {name} is missing. Mend: install it (apt-get install {package})")
    return found


@functools.cache
def bwrap_version() -> tuple[int, ...]:
    """Version of the installed bubblewrap; empty, which is less than any, when it does not tell."""
    text = subprocess.run([find_program("bwrap"), "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def state_folder() -> Path:
    """Folder of generated files: only we can write it, everybody may read."""
    uid = os.geteuid()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    places = [runtime, Path(tempfile.gettempdir()) / f"swath-{uid}"] if uid else [Path("/run")]
    for place in places:
        folder = place / "swath-sandbox"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            # In a shared /tmp somebody else may have made either of them first.
            ours = [_is_ours(path) for path in (place, folder)]
        except OSError:
            continue
        if all(ours) and os.access(folder, os.W_OK):
            return folder
    return _private_folder()


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


@functools.cache
def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="swath-sandbox-"))
    folder.chmod(0o755)
    return folder


def _drop(spec: Sandbox, *more: str) -> list[str]:
    uid = str(spec.inner_uid)
    drop = [
        "--reuid",
        uid,
        "--regid",
        uid,
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]
    return [find_program("setpriv"), *drop, *more, "--"]


def _namespaces(spec: Sandbox, *, root: bool) -> list[str]:
    options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", spec.hostname]
    options += ["--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    if not spec.network:
        options.append("--unshare-net")
    if root:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
        return options
    options += ["--unshare-user", "--uid", str(spec.inner_uid), "--gid", str(os.getegid())]
    return [*options, "--disable-userns"] if bwrap_version() >= (0, 8) else options


def _file_system(spec: Sandbox) -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--proc", "/proc", "--dev", "/dev"]
    options += ["--perms", "1777", "--size", str(spec.shm_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108
    options += ["--perms", "1777", "--size", str(spec.tmp_bytes), "--tmpfs", "/tmp"]  # noqa: S108
    binds = [("--ro-bind-try", Path(path), path) for path in ("/sys/devices/system/cpu", "/var/cache/fontconfig")]
    binds += _etc(spec)
    own = [("--ro-bind", *pair(bind)) for bind in spec.ro_binds] + [("--bind", *pair(bind)) for bind in spec.rw_binds]
    # Outer folders first, or a later bind would cover an earlier one inside it.
    binds += [(option, source, str(target)) for option, source, target in sorted(own, key=lambda o: len(o[2].parts))]
    options += _parents([target for _, _, target in binds])
    if spec.home.startswith("/tmp/"):  # noqa: S108
        options += [*_parents([spec.home]), "--perms", "0777", "--dir", spec.home]
    for option, source, target in binds:
        options += [option, str(source), target]
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", spec.cwd]


def _parents(targets: list[str]) -> list[str]:
    """Make the folders above `targets`: those that bwrap makes itself only root could enter."""
    parents = {str(parent) for target in targets for parent in Path(target).parents}
    there = ("/usr/", "/bin/", "/sbin/", "/lib", "/proc/", "/dev/")
    wanted = sorted(path for path in parents if path not in ("/", "/tmp") and not f"{path}/".startswith(there))  # noqa: S108
    return [word for path in wanted for word in ("--perms", "0755", "--dir", path)]


def _etc(spec: Sandbox) -> list[tuple[str, Path, str]]:
    binds = [("--ro-bind-try", Path("/etc", name), f"/etc/{name}") for name in _ETC]
    uid, gid = spec.inner_uid, spec.inner_uid if os.geteuid() == 0 else os.getegid()
    generated = {
        "passwd": f"root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n{spec.user}:x:{uid}:{gid}::{spec.home}:/bin/bash\n",
        "group": f"root:x:0:\n{spec.user}:x:{gid}:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    }
    if spec.network:
        # resolv.conf is usually a link into /run, which is not there inside.
        binds.append(("--ro-bind-try", Path(os.path.realpath("/etc/resolv.conf")), "/etc/resolv.conf"))
        binds.append(("--ro-bind-try", Path("/etc/hosts"), "/etc/hosts"))
    else:
        generated["hosts"] = f"127.0.0.1 localhost {spec.hostname}\n::1 localhost ip6-localhost ip6-loopback\n"
    return binds + [
        ("--ro-bind", _generated(name, text.encode("ascii")), f"/etc/{name}") for name, text in generated.items()
    ]


def _generated(name: str, data: bytes) -> Path:
    """Content-addressed, so that any number of sandboxes share a file and none is ever changed under one."""
    path = state_folder() / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        fresh.write_bytes(data)
        fresh.chmod(0o644)
        fresh.replace(path)
    return path


def _refuse_led_astray(spec: Sandbox) -> None:
    """Refuse to bind below a folder in which the sandboxed user can swap names: root would follow its links."""
    for source, _ in spec.binds():
        for folder in source.parents:
            try:
                owner = folder.lstat().st_uid
            except FileNotFoundError as error:
                raise SandboxError(f"nothing to bind at {source}: {folder} does not exist") from error
            if os.geteuid() == 0 and owner == spec.inner_uid:
                raise SandboxError(f"{source} cannot be bound: {folder} belongs to the sandbox's own user")


def _unset(spec: Sandbox) -> list[str]:
    return [word for name in sorted(os.environ) if name not in spec.env for word in ("--unsetenv", name)]
