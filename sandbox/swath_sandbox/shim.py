"""The process that guards one sandboxed command: it outlives its launcher and tells truly how the command ended.

One shim per warden folder, started once in the folder's life. It holds the flock on ``lock`` as long as it lives; when
it dies, bwrap's ``--die-with-parent`` takes the sandbox along. Kept free of heavy imports: there is one per run.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time

from swath_sandbox import cgroups, hierarchies, processes, tree
from swath_sandbox.claims import claim, limit_resources, now, say, write_json
from swath_sandbox.errors import AlreadyStarted, GroupBusy, SandboxError, UnsafeFile

READY_FD, GO_FD = 5, 6
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from swath_sandbox.watch import Watch

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """Detach, claim the folder in argv[1], guard its command. The first line on stdout is the handle or the refusal."""
    folder = os.path.abspath(sys.argv[1])
    if os.fork():
        os._exit(0)
    try:
        shim = Shim(folder)
    except (AlreadyStarted, OSError, ValueError, KeyError) as error:
        say({"error": type(error).__name__, "message": str(error)})
        os._exit(1)
    shim.run()
    os._exit(0)


class Shim:
    """Guard of one command."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        with open(f"{folder}/command.json", "rb") as stream:
            self.job: dict[str, Any] = json.load(stream)
        self.lock = claim(folder)
        self.cause: str | None = None
        self.message = ""
        self.ready = False
        self.child = 0
        self.status: int | None = None
        self.logged = 0
        self.stop_asked = False
        self.killed = False
        self.group: cgroups.Group | None = None
        self.watch: Watch | None = None
        self.begun = time.monotonic()
        self.started_at = now()
        self.wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for signum in _STOP_SIGNALS:
            signal.signal(signum, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        group, self.place = None, None
        if self.job["limits"]:
            # Recorded before it is made, so that `reap` finds it whenever this process dies.
            with contextlib.suppress(SandboxError):
                self.place = hierarchies.find_hierarchy()
                group = cgroups.group_at(self.job["group"], self.place)
        handle = {"pid": os.getpid(), "start_time": processes.start_time(os.getpid()), "boot_id": processes.boot_id()}
        self.record = {
            **handle,
            "started_at": self.started_at,
            # On the clock that every process of this boot shares and that nobody sets.
            "begun_seconds": self.begun,
            "group": group.as_dict() if group else None,
        }
        write_json(f"{folder}/warden.json", self.record)
        say(handle)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)

    def run(self) -> None:
        """Start, watch, clean up, and write exit.json whatever happens."""
        try:
            self._start()
            self._watch()
        except (SandboxError, OSError, ValueError) as error:
            self.cause = "warden-failed" if self.ready else "failed-to-start"
            self.message = str(error)
        except BaseException as error:
            self.cause, self.message = "warden-failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            self._end()

    def _on_stop(self, *_: object) -> None:
        self.stop_asked = True

    def _start(self) -> None:
        self.log = os.open(f"{self.folder}/stderr.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self.log_read, log_write = os.pipe2(os.O_CLOEXEC)
        self.ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.log_read, False)
        os.set_blocking(self.ready_read, False)
        if self.job["limits"]:
            limits = cgroups.Limits(**self.job["limits"])
            try:
                self.group = cgroups.open_group(self.job["group"], limits, hierarchy=self.place)
            except GroupBusy:
                # Another's: nobody may reap it in our name.
                write_json(f"{self.folder}/warden.json", {**self.record, "group": None})
                raise
        go_read, self.go = os.pipe2(os.O_CLOEXEC)
        warden = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            self._become_command(warden, log_write, ready_write, go_read)
        for fd in (log_write, ready_write, go_read):
            os.close(fd)
        if self.job.get("watch"):
            # While bwrap sets up the sandbox; the command itself waits until `_let_go`.
            from swath_sandbox.watch import Watch

            self.watch = Watch(self.folder, self.job["watch"])

    def _let_go(self) -> None:
        """The sandbox stands, and its command waits for a word."""
        self.ready = True
        pid = self._inner() if self.watch else None
        if self.watch and pid:
            self.watch.begin(pid)
        with contextlib.suppress(OSError):
            os.write(self.go, b"\n")
        os.close(self.go)

    def _become_command(self, warden: int, log_write: int, ready_write: int, go_read: int) -> None:
        """In the forked child: join the group, then become bwrap. Never returns."""
        try:
            signal.set_wakeup_fd(-1)
            for signum in (*_STOP_SIGNALS, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(signum, signal.SIG_DFL)
            os.setsid()
            os.dup2(log_write, 1)
            os.dup2(log_write, 2)
            os.dup2(ready_write, READY_FD)
            if self.job.get("watch"):
                os.dup2(go_read, GO_FD)
            if self.group:
                self.group.add(0)
            limit_resources(file_bytes=self.job["disk_bytes"], open_files=self.job["open_files"])
            os.umask(0o022)
            os.chdir(self.job["cwd"])
            # From here on bwrap dies with its parent; a parent that died before would not be noticed.
            if os.getppid() == warden:
                os.execve(self.job["argv"][0], self.job["argv"], self.job["env"])  # noqa: S606 - becoming it
        except BaseException as error:  # whatever it is, it must not run the parent's code
            os.write(2, f"swath: {error}\n".encode())
        os._exit(126)

    def _watch(self) -> None:
        """Until the command ends: keep its log, its time, its disk."""
        wall, next_disk, kill_at = self.job["wall_seconds"], 0.0, None
        deadline = self.begun + wall if wall else None
        streams = {self.wake_read, self.log_read, self.ready_read}
        while self._poll_child() is None:
            now = time.monotonic()
            if self.cause is None:
                if self.stop_asked:
                    self.cause = "stopped"
                elif deadline and now >= deadline:
                    self.cause, self.message = "time-limit", f"not finished after {wall} s"
                elif self.job["disk_bytes"] and now >= next_disk:
                    next_disk = self._check_disk(now)
                if self.cause:
                    kill_at = now + (self.job["grace_seconds"] if self.cause != "disk-limit" and self._ask() else 0)
            if kill_at is not None and now >= kill_at:
                self._kill()
                kill_at = now + 1
            times = [t for t in ((kill_at,) if self.cause else (deadline, next_disk or None)) if t is not None]
            timeout = max(0.0, min(times) - time.monotonic()) if times else None
            watched = self.watch.fd if self.watch else None
            for fd in select.select([*streams, *([] if watched is None else [watched])], [], [], timeout)[0]:
                if fd == watched and self.watch:
                    self.watch.take()
                elif self._drain(fd):
                    streams.discard(fd)

    def _poll_child(self) -> int | None:
        if self.status is None and self.child:
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                self.status = status
        return self.status

    def _check_disk(self, now: float) -> float:
        """Measure what the command wrote; return when to look again. A slow walk is repeated rarely."""
        job = self.job
        try:
            used = tree.disk_usage(job["disk_paths"], max_entries=job["disk_files"])
            if self.group:
                devices = [os.stat(path).st_dev for path in job["disk_paths"]]
                used += tree.unlinked_usage(self.group.pids(), devices)
        except UnsafeFile as error:
            self.cause, self.message = "disk-limit", str(error)
            return now
        if used > job["disk_bytes"]:
            self.cause, self.message = "disk-limit", f"{used} bytes written, {job['disk_bytes']} allowed"
        done = time.monotonic()
        return done + max(0.5, 20 * (done - now))

    def _drain(self, fd: int) -> bool:
        """Take what stands in a pipe; whether it has ended."""
        # Not until it is empty: a command that never stops writing would keep us from looking at the clock.
        for _ in range(16):
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return False
            if fd == self.ready_read:
                if data and not self.ready:
                    self._let_go()
            elif fd == self.log_read:
                self._keep(data)
            if not data:
                return True
        return False

    def _keep(self, data: bytes) -> None:
        room = self.job["log_bytes"] - self.logged
        if data and room > 0:
            os.write(self.log, data[:room])
            if len(data) > room:
                os.write(self.log, b"\n[swath: further output dropped]\n")
        self.logged += len(data)

    def _ask(self) -> bool:
        """SIGTERM the command itself, not bwrap around it; whether there is reason to wait for it."""
        if not self.job["grace_seconds"] or not self.ready:
            return False
        pid = self._inner()
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True

    def _inner(self) -> int | None:
        """The command itself, below bwrap and its init."""
        pid = self.child
        for _ in range(2 if self.job["bwrap"] else 0):
            children = processes.children(pid)
            if not children:
                return None
            pid = children[0]
        return pid

    def _kill(self) -> None:
        self.killed = True
        if self.group:
            self.group.kill_all()
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.child, signal.SIGKILL)

    def _end(self) -> None:
        usage = None
        if self.child:
            if self.status is None:
                self._kill()
                _, self.status = os.waitpid(self.child, 0)
            else:
                # Its own pid is gone; what it left behind is not.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.child, signal.SIGKILL)
            if self.group:
                self.group.kill_all()
            self._drain(self.ready_read)
            self._drain(self.log_read)
            if self.watch:
                self.watch.end()
        if self.group:
            usage = self.group.usage()
            self.group.remove()
        write_json(f"{self.folder}/exit.json", self._report(usage))

    def _report(self, usage: cgroups.Usage | None) -> dict[str, object]:
        code, signum = processes.ending(self.status, through_bwrap=self.job["bwrap"])
        if self.killed and self.cause:
            # bwrap's own code then depends on which of its processes died first.
            code, signum = None, int(signal.SIGKILL)
        oom_kills = usage.oom_kills if usage else 0
        reason, message = self.cause, self.message
        if reason is None and not self.ready:
            reason, message = "failed-to-start", self._log_tail()
        elif reason is None:
            reason = "memory-limit" if oom_kills and code != 0 else "exited"
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "exit_code": code,
            "signal": signum,
            "reason": reason,
            "message": message,
            "cpu_seconds": round(usage.cpu_seconds if usage else children.ru_utime + children.ru_stime, 6),
            "peak_memory_bytes": usage.peak_memory_bytes if usage else children.ru_maxrss * 1024,
            "oom_kills": oom_kills,
            "wall_seconds": round(time.monotonic() - self.begun, 3),
            "started_at": self.started_at,
            "ended_at": now(),
        }

    def _log_tail(self) -> str:
        with open(f"{self.folder}/stderr.log", "rb") as stream:
            stream.seek(max(0, self.logged - 2000) if self.logged < self.job["log_bytes"] else 0)
            return stream.read(2000).decode("utf-8", "replace").strip()
