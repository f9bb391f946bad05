"""The papermill engine of a run: live events, truthful cell states, and a stop that reaches the cell that runs.

papermill's own engine marks cells completed that never ran, forgets why a kernel died and cannot be stopped from
outside; its notebook manager, client and engine registry are used here with exactly those parts replaced.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from swath.contract.run import ErrorCode, EventType
from swath.runner.journal import Journal
from swath.runner.kernel import Kernel, KernelFailed
from swath.runner.prepare import save_notebook
from swath.runner.stop import Stop
from swath.runner.streams import merge_streams
from swath.runner.tail import Tail, follow

#: After an interrupt a cell has this long before the kernel is killed.
GRACE_SECONDS = 2.0
_ALIVE_POLL_SECONDS = 0.1
#: Rich outputs (pictures, tables) of one run that the executed notebook keeps, all together.
RICH_CHARS = 64_000_000


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What ended the notebook before its last cell; `index` counts the executed notebook's cells."""

    code: ErrorCode
    index: int | None
    message: str
    traceback: str = ""


@dataclass(kw_only=True)
class Work:
    """All that one execution shares.

    Parameters
    ----------
    original
        For each cell of the executed notebook its index in the notebook as published; the injected cell has that of
        the parameters cell.
    explicit_progress
        The notebook reports its own progress; cells are then not counted.
    """

    journal: Journal
    kernel: Kernel
    stop: Stop
    tails: tuple[Tail, ...]
    original: tuple[int, ...]
    injected: int | None = None
    expected: frozenset[int] = frozenset()
    """Indices of all cells that are to be executed."""
    explicit_progress: bool = False
    deadline: float | None = None
    """When to stop by itself, on the clock of `time.monotonic`."""
    failure: Failure | None = None
    completed: set[int] = field(default_factory=set)
    stopped: ErrorCode | None = None
    """Why the execution was stopped from outside, if that came before its end."""

    def drain(self) -> None:
        """Bring in what the kernel reported so far."""
        for tail in self.tails:
            tail.drain()


def runnable(cell: NotebookNode) -> bool:
    """Whether executing the notebook executes `cell`: code that is not empty and not tagged ``skip-execution``."""
    return (
        cell.cell_type == "code" and bool(cell.source.strip()) and "skip-execution" not in cell.metadata.get("tags", [])
    )


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """papermill's record of a notebook under execution, which here also writes events and saves atomically."""

    def __init__(self, nb: NotebookNode, output_path: Path, *, work: Work) -> None:
        super().__init__(nb, output_path=str(output_path), progress_bar=False, autosave_cell_every=30)
        self.work = work
        self._total = len(work.expected - {work.injected})

    def save(self, **_: Any) -> None:
        """Write the notebook as it is now; a reader, or a crash, never meets half a file."""
        save_notebook(self.nb, Path(self.output_path))
        self.last_save_time = self.now()

    def cell_start(self, cell: NotebookNode, cell_index: int, **_: Any) -> None:
        cell.metadata.papermill["start_time"] = self.now().isoformat()
        cell.metadata.papermill["status"] = self.RUNNING
        cell.metadata.papermill["exception"] = False
        self.autosave_cell()
        if cell_index != self.work.injected:  # its reader knows the published notebook, which has no such cell
            self.work.journal.write(EventType.CELL_START, cell=self.work.original[cell_index], total_cells=self._total)

    def cell_complete(self, cell: NotebookNode, cell_index: int, **_: Any) -> None:
        end, state = self.now(), cell.metadata.papermill
        merge_streams(cell)
        state["end_time"] = end.isoformat()
        self.work.drain()
        if state["status"] != self.FAILED:
            state["status"] = self.COMPLETED
            self.work.completed.add(cell_index)
        if cell_index != self.work.injected:
            self.work.journal.write(EventType.CELL_END, cell=self.work.original[cell_index], message=state["status"])
        if not self.work.explicit_progress:
            done = len(self.work.completed - {self.work.injected})
            self.work.journal.progress(done / max(self._total, 1))

    def notebook_complete(self, **_: Any) -> None:
        """Close the record; unlike papermill's, cells that never ran stay pending."""
        self.end_time = self.now()
        about = self.nb.metadata.papermill
        about["end_time"] = self.end_time.isoformat()
        about["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save()


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells against the run's kernel, on one event loop."""

    def __init__(self, manager: Manager, *, work: Work) -> None:
        super().__init__(manager, record_timing=True, iopub_timeout=30, shell_timeout_interval=1)
        self.work = work
        self._cell: int | None = None
        self._rich_chars = 0
        self._exit_asked = False
        self._traceback = ""
        self.on_cell_executed = self._note_exit

    def execute(self, **_: Any) -> Any:
        """Run to the end, the first failure or the stop.

        Facts are left in `work`; nothing of the notebook's making is raised.
        """
        self.reset_execution_trackers()
        asyncio.run(self._execute())
        return self.nb

    async def _execute(self) -> None:
        loop, stop = asyncio.get_running_loop(), self.work.stop
        halt: asyncio.Task[None] | None = None

        def on_request() -> None:
            nonlocal halt
            halt = loop.create_task(self._halt())

        def from_anywhere() -> None:
            loop.call_soon_threadsafe(on_request)

        stop.on_request = from_anywhere
        following = loop.create_task(follow(*self.work.tails))
        timer = None
        if self.work.deadline is not None:
            timer = loop.call_later(self.work.deadline - time.monotonic(), stop.request, ErrorCode.TIME_LIMIT)
        try:
            if stop.reason is None:
                self.kc = await self.work.kernel.connect()
                await self._execute_cells()
        except KernelFailed as error:
            self._fail(ErrorCode.KERNEL_DIED, str(error))
        finally:
            stop.on_request, self.work.stopped = None, stop.reason
            following.cancel()
            if timer is not None:
                timer.cancel()
            if halt is not None:
                halt.cancel()
            if self.kc is not None:
                self.kc.stop_channels()
            self.work.drain()

    async def _halt(self) -> None:
        self.work.kernel.interrupt()
        await asyncio.sleep(GRACE_SECONDS)
        self.work.kernel.kill()

    async def _execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            if index not in self.work.expected:
                continue
            if self.work.stop.reason is not None:
                return
            self._cell = index
            self.nb_man.cell_start(cell, cell_index=index)
            try:
                await self.async_execute_cell(cell, index)
                if self._exit_asked:
                    self._fail(ErrorCode.EXITED_EARLY, "The notebook asked its kernel to exit.")
            except CellExecutionError as error:
                self._fail_cell(error)
            except DeadKernelError:
                self._fail(
                    ErrorCode.KERNEL_DIED, self.work.kernel.end_message(), traceback=self.work.kernel.stderr_tail()
                )
            except CellTimeoutError:
                self._fail(ErrorCode.INTERNAL, "The kernel's output did not arrive in time.")
            if self.work.failure is not None:
                self.nb_man.cell_exception(cell, cell_index=index)
            self.nb_man.cell_complete(cell, cell_index=index)
            if self.work.failure is not None:
                return
        await self._confirm_alive()

    async def _confirm_alive(self) -> None:
        """A kernel that ends with its last cell's answer still on the way did not finish."""
        try:
            reply = await self.async_wait_for_reply(self.kc.kernel_info())
        except DeadKernelError:
            self._fail(ErrorCode.KERNEL_DIED, self.work.kernel.end_message(), traceback=self.work.kernel.stderr_tail())
            return
        self.nb.metadata["language_info"] = reply["content"]["language_info"]
        self.set_widgets_metadata()

    def _fail_cell(self, error: CellExecutionError) -> None:
        exited = error.ename == "SystemExit"
        said = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
        message = f"The notebook left its kernel ({said}) instead of running to its end." if exited else said
        code = ErrorCode.EXITED_EARLY if exited else ErrorCode.CELL_FAILED
        self._fail(code, message, traceback=self._traceback)

    def _fail(self, code: ErrorCode, message: str, *, traceback: str = "") -> None:
        self.work.failure = Failure(code=code, index=self._cell, message=message, traceback=traceback)

    def _note_exit(self, cell: NotebookNode, cell_index: int, execute_reply: Any) -> None:
        content = execute_reply["content"]
        self._traceback = "\n".join(content.get("traceback", []))
        if any(item.get("source") == "ask_exit" for item in content.get("payload", [])):
            self._exit_asked = True
        if content["status"] == "error" and "raises-exception" in cell.metadata.get("tags", []):
            if content.get("ename") == "SystemExit":
                self._exit_asked = True
            said = f"{content.get('ename')}: {content.get('evalue')}, allowed by the cell's tag raises-exception\n"
            self.work.journal.log(said, stream="stderr", cell=self.work.original[cell_index])

    async def _async_poll_kernel_alive(self) -> None:
        while self.work.kernel.alive():
            await asyncio.sleep(_ALIVE_POLL_SECONDS)
        # What the kernel said before it died may still be on the way.
        await asyncio.sleep(_ALIVE_POLL_SECONDS)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        content = msg["content"]
        if msg["msg_type"] == "stream":
            said, stream = content["text"], content["name"]
            content["text"] = self.work.journal.log(said, stream=stream, cell=self.work.original[cell_index])
            if not content["text"]:
                return None
        elif msg["msg_type"] in ("display_data", "execute_result", "update_display_data"):
            self._rich_chars += sum(len(value) for value in content["data"].values() if isinstance(value, str))
            if self._rich_chars > RICH_CHARS:
                content["data"] = {"text/plain": "[output dropped: the run's rich outputs are over their limit]"}
        return super().process_message(msg, cell, cell_index)


class SwathEngine(NBClientEngine):  # type: ignore[misc]
    """Registered with papermill as ``swath``."""

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, _kernel_name: str, output_path: Path, *, work: Work, **_: Any) -> Any:
        """Execute `nb`; `work` holds what became of it."""
        manager = Manager(nb, output_path, work=work)
        manager.notebook_start()
        try:
            Client(manager, work=work).execute()
        finally:
            manager.notebook_complete()
        return manager.nb


papermill_engines.register("swath", SwathEngine)
