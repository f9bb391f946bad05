"""Starts one job under a warden as the user that runs this script, waits, prints how it ended.

argv[1]: JSON {folder, argv, group, ro_binds, rw_binds, env, uid, memory_bytes, pids, wall_seconds, allow, …}.
"""

import json
import sys
from pathlib import Path

from swath_sandbox import Allow, Job, Limits, Sandbox, warden

asked = json.loads(Path(sys.argv[1]).read_text())
spec = Sandbox(
    argv=asked["argv"],
    ro_binds=[(Path(source), Path(target)) for source, target in asked["ro_binds"]],
    rw_binds=[(Path(source), Path(target)) for source, target in asked["rw_binds"]],
    env=asked["env"],
    uid=asked["uid"],
    cwd=asked["cwd"],
)
job = Job(
    sandbox=spec,
    group=asked["group"],
    limits=Limits(memory_bytes=asked["memory_bytes"], pids=asked["pids"], cpus=2),
    wall_seconds=asked["wall_seconds"],
    disk_bytes=asked["disk_bytes"],
    disk_paths=[Path(source) for source, _ in asked["rw_binds"]],
    allow=frozenset(Allow(word) for word in asked["allow"]),
)
folder = Path(asked["folder"])
warden.prepare(folder, job)
warden.launch(folder)
found = warden.wait(folder, timeout_seconds=60)
assert found is not None
print(json.dumps({"reason": found.reason, "exit_code": found.exit_code, "message": found.message,
                  "oom_kills": found.oom_kills, "log": (folder / "stderr.log").read_text()}))  # fmt: skip
