"""The kernel of a run: one IPython process over unix sockets, started before anything heavy is imported here.

The process is started with the standard library alone, so that it boots on one core while this process imports
papermill on the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

#: What of the runner's environment a kernel sees. Everything else, tokens above all, stays outside.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_CACHE_HOME|MPLCONFIGDIR|LD_LIBRARY_PATH|VIRTUAL_ENV"
    r"|PYTHON(HASHSEED|UTF8|WARNINGS|DONTWRITEBYTECODE|PYCACHEPREFIX)"
    r"|SWATH_ARCHIVE|SWATH_RUN_DIR|(OMP|OPENBLAS|MKL|NUMEXPR|GDAL)_NUM_THREADS"
    r"|GDAL_[A-Z_]+|CPL_[A-Z_]+|VSI_CACHE(_SIZE)?|PROJ_(DATA|LIB|NETWORK)|DASK_[A-Z_]+"
)
#: Of those, what carries credentials by its name.
_KEPT_OUT = re.compile(r"AUTH|BEARER|COOKIE|HEADER|KEY|PASSWORD|SECRET|TOKEN|USERPWD")
_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_STDERR_BYTES = 8_000
#: As ipykernel_launcher does it, with two additions. The traceback of a crash goes to the process's first stderr:
#: ipykernel puts a pipe in its place, whose content dies with the process. And where memory runs out, the kernel is the
#: one to go, so that the runner is there to tell.
_LAUNCH = """
import contextlib, faulthandler, os, sys
faulthandler.enable(open(os.dup(2), "w"))
with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
    file.write("1000")
sys.path.pop(0)
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""
_START_SECONDS = 60.0


class KernelFailed(Exception):
    """The kernel ended, or never answered."""


def kernel_environment(environ: Mapping[str, str], *, run_dir: Path, cpus: float, scratch: Path) -> dict[str, str]:
    """The whitelisted environment of a kernel.

    Parameters
    ----------
    environ
        The runner's own environment.
    run_dir
        Becomes ``SWATH_RUN_DIR``, from which `swath.emit` knows that it is in a run.
    cpus
        What the run may use: native libraries start that many threads, not one per core of the machine.
    scratch
        Holds the caches that libraries want under the home folder, which may be read-only or empty.
    """
    threads = str(max(1, round(cpus)))
    defaults = {
        "PATH": os.defpath,
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "GDAL_NUM_THREADS": threads,
    }
    wanted = [name for name in environ if _PASSED_ON.fullmatch(name) and not _KEPT_OUT.search(name)]
    passed = {name: environ[name] for name in wanted}
    fixed = {
        "SWATH_RUN_DIR": str(run_dir),
        "IPYTHONDIR": str(scratch / "ipython"),
        "JPY_PARENT_PID": str(os.getpid()),
        "PYTHONNOUSERSITE": "1",
    }
    return {**defaults, **passed, **fixed}


def _seed_matplotlib(cache: Path) -> None:
    """Lay the environment's ready font list into `cache`; building it anew takes seconds in every fresh home."""
    ready = Path(sys.prefix) / "share" / "swath" / "matplotlib"
    if cache.exists() or not ready.is_dir():
        return
    try:
        shutil.copytree(ready, cache)
    except OSError:
        shutil.rmtree(cache, ignore_errors=True)


def _scratch_folder() -> Path:
    """An own temporary folder whose sockets' paths fit into the 107 bytes that unix sockets allow."""
    folder = Path(tempfile.mkdtemp(prefix="swath-run-"))
    if len(str(folder)) < 90:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="swath-run-", dir="/tmp"))


class Kernel:
    """A started kernel process and the client that talks to it.

    Parameters
    ----------
    run_dir
        The run's folder; the kernel's working directory is ``out/work`` in it.
    cpus
        CPUs of the run.
    """

    def __init__(self, run_dir: Path, *, cpus: float = 1.0) -> None:
        self._scratch = _scratch_folder()
        self._connection: dict[str, Any] = {
            "transport": "ipc",
            "ip": str(self._scratch / "k"),
            "key": secrets.token_hex(32),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
            **{name: number for number, name in enumerate(_PORTS, start=1)},
        }
        file = self._scratch / "connection.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(self._connection))
        environment = kernel_environment(os.environ, run_dir=run_dir, cpus=cpus, scratch=self._scratch)
        _seed_matplotlib(Path(environment["MPLCONFIGDIR"]))
        cwd = run_dir / "out" / "work"
        cwd.mkdir(parents=True, exist_ok=True)
        self._stderr = self._scratch / "stderr.log"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, "-f", str(file), "--HistoryManager.enabled=False"],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def end_message(self) -> str:
        """How the process ended, in words."""
        code = self._process.poll()
        if code is None:
            return "The kernel does not answer."
        if code >= 0:
            return f"The kernel's process ended with exit code {code} while the notebook was running."
        name = signal.Signals(-code).name
        hint = " The usual cause is memory: the run needed more than its limit." if -code == signal.SIGKILL else ""
        return f"The kernel was killed by signal {-code} ({name}).{hint}"

    def stderr_tail(self) -> str:
        """The last the process wrote outside the notebook: a crash's native traceback."""
        data = self._stderr.read_bytes() if self._stderr.exists() else b""
        return data[-_STDERR_BYTES:].decode(errors="replace")

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the process and its group at once. Idempotent."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, signum: int) -> None:
        if self.alive():
            try:
                os.killpg(self._process.pid, signum)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """Kill what is left and remove the sockets. Idempotent."""
        self.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def connect(self) -> Any:
        """A client whose channels are open and whose kernel has answered.

        Raises
        ------
        KernelFailed
            The process ended during its start or did not answer within a minute.
        """
        from jupyter_client.asynchronous.client import AsyncKernelClient

        class Client(AsyncKernelClient):
            async def is_alive(self) -> bool:  # the process tells more than a heartbeat does
                return kernel.alive()

        kernel = self
        deadline = time.monotonic() + _START_SECONDS
        sockets = [Path(f"{self._connection['ip']}-{number}") for number in range(1, len(_PORTS) + 1)]
        while not all(socket.exists() for socket in sockets):
            self._check(deadline)
            await asyncio.sleep(0.005)
        client = Client()
        client.load_connection_info(cast(Any, self._connection))
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)  # noqa: S604  a ZeroMQ channel
        client.allow_stdin = False
        await self._handshake(client, deadline)
        return client

    def _check(self, deadline: float) -> None:
        if not self.alive():
            raise KernelFailed(f"The kernel ended while it started. {self.stderr_tail()}".strip())
        if time.monotonic() > deadline:
            raise KernelFailed(f"The kernel did not answer within {_START_SECONDS:.0f} s of its start.")

    async def _handshake(self, client: Any, deadline: float) -> None:
        """Ask for the kernel's info until the answer and its echo on the output channel have both come."""
        from queue import Empty

        while True:
            self._check(deadline)
            asked = client.kernel_info()
            try:
                await client.get_shell_msg(timeout=1)
                while True:
                    message = await client.get_iopub_msg(timeout=0.2)
                    idle = message["content"].get("execution_state") == "idle"
                    if idle and message["parent_header"].get("msg_id") == asked:
                        return
            except Empty:
                continue
