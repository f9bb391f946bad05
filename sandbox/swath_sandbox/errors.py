"""What can go wrong around a sandbox. Standard library only: services translate these into their own errors."""

from __future__ import annotations


class SandboxError(Exception):
    """Base of everything this package raises on purpose."""


class SandboxUnavailable(SandboxError):
    """The machine cannot isolate a process as asked; the message says what is missing and how to mend it."""


class CgroupsUnavailable(SandboxUnavailable):
    """No control-group hierarchy can be written that limits both memory and the number of processes."""


class GroupBusy(SandboxError):
    """A control group of that name exists and processes live in it."""


class AlreadyStarted(SandboxError):
    """This warden folder has been started before; a folder is started once in its life."""


class UnsafeFile(SandboxError):
    """A path that sandboxed code wrote is no plain file inside its folder, or is over a cap."""
