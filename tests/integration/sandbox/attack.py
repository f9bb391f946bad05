# %% [markdown]
# # Attack
#
# Tries to reach what sandboxed code must not reach, and reports what it reached. Outside a sandbox it must reach most
# of it: a report of nothing reached means little without that control.

# %% parameters
targets: str = "{}"  # JSON object: attempt -> its target; attempts without a target are not made
report_path: str = "attack.json"  # where the report is written

# %%
# ruff: noqa: E402 - the parameters stand first, as in the notebook of the same cells
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
PROC = Path(os.sep, "proc")


def connects(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(3)
        client.connect(address)
        return True


def loopback(target):
    return connects(socket.AF_INET, ("127.0.0.1", target))


def abstract_socket(target):
    return connects(socket.AF_UNIX, "\0" + target)


def route_outside(target):
    # Connecting a datagram socket sends nothing; it succeeds when there is a way out.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((target, 9))
        return True


def vsock(target):
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM):
        return True


def reads(target):
    return target["holds"] in Path(target["path"]).read_text()


def secret_file(target):
    return reads(target)


def other_run(target):
    return reads(target)


def through_link(target):
    link = Path(target["link"])
    link.unlink(missing_ok=True)
    link.symlink_to(target["path"])
    return target["holds"] in link.read_text()


def environment(target):
    return any(target in value for value in os.environ.values())


def other_environments(target):
    # Every process that is not ours or our parents' own copy of the environment.
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if target.encode() in (folder / "environ").read_bytes():
                return True
    return False


def command_lines(target):
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if target.encode() in (folder / "cmdline").read_bytes():
                return True
    return False


def trace_process(target):
    PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
    if libc.ptrace(PTRACE_SEIZE, target, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.ptrace(PTRACE_DETACH, target, None, None)
    return True


def kill_process(target):
    os.kill(target, signal.SIGTERM)
    return True


def write_outside(target):
    written = []
    for folder in target:
        probe = Path(folder, f"swath-attack-{os.getpid()}")
        with contextlib.suppress(OSError):
            probe.write_text("x")
            probe.unlink()
            written.append(folder)
    return written


def new_namespaces(target):
    CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def keyring(target):
    KEYCTL_DESCRIBE, SESSION = 6, -3
    numbers = {"x86_64": 250, "aarch64": 219}
    text = ctypes.create_string_buffer(256)
    length = libc.syscall(numbers[os.uname().machine], KEYCTL_DESCRIBE, SESSION, text, 256)
    if length < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


def block_devices(target):
    opened = []
    for line in (PROC / "partitions").read_text().splitlines()[2:]:
        device = Path(os.sep, "dev", line.split()[-1])
        with contextlib.suppress(OSError):
            os.close(os.open(device, os.O_RDONLY))
            opened.append(device.name)
    return opened


def become_root(target):
    with contextlib.suppress(OSError):
        os.setuid(0)
    probe = Path(target, "owned-by-root")
    probe.touch()
    with contextlib.suppress(OSError):
        os.chown(probe, 0, 0)
        os.chmod(probe, 0o4755)
    return os.geteuid() == 0


def plant_in_out(target):
    out = Path(target["out"])
    (out / "link.json").symlink_to(target["path"])
    (out / "folder-link").symlink_to(Path(target["path"]).parent)
    os.mkfifo(out / "fifo.json")
    with contextlib.suppress(OSError):
        # Needs the target to be visible.
        os.link(target["path"], out / "hard.json")
    with open(out / "sparse.bin", "wb") as stream:
        stream.truncate(1 << 40)


def outlive(target):
    # A daemon of its own session that goes on writing when the run is over.
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3):
                os.close(fd)
            end = time.monotonic() + target["for_seconds"]
            while time.monotonic() < end:
                Path(target["file"]).write_text("alive")
                time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)


def fork_bomb(target):
    children = []
    try:
        for _ in range(target):
            child = os.fork()
            if child == 0:
                time.sleep(30)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return len(children) >= target


def memory_bomb(target):
    code = "import sys\nkept = [b'x' * (1 << 20) for _ in range(int(sys.argv[1]))]\nprint(len(kept))"
    done = subprocess.run([sys.executable, "-c", code, str(target >> 20)], capture_output=True, check=False)
    return done.returncode == 0


ATTEMPTS = (
    loopback, abstract_socket, route_outside, vsock, secret_file, other_run, through_link, environment,
    other_environments, command_lines, trace_process, kill_process, write_outside, new_namespaces, keyring,
    block_devices, become_root, plant_in_out, outlive, fork_bomb, memory_bomb,
)  # fmt: skip

# %%
wanted = json.loads(targets)
report = {}
for attempt in ATTEMPTS:
    if attempt.__name__ not in wanted:
        continue
    try:
        found = attempt(wanted[attempt.__name__])
        report[attempt.__name__] = {"reached": bool(found), "detail": str(found)}
    except Exception as error:
        report[attempt.__name__] = {"reached": False, "detail": f"{type(error).__name__}: {error}"}
    Path(report_path).write_text(json.dumps(report))
print(json.dumps(report, indent=1))
