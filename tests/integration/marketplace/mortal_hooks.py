"""A marketplace in a process that a test kills: makes a run and says so, or delivers what is to be delivered."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from swath_marketplace.domain.hooks import Topic
from swath_marketplace.hook_testing import LOOPBACK
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.services.webhooks import WebhookRequest
from swath_marketplace.testing import make_world, notebook, user, write_environment


def main(what: str, data: Path, url: str) -> None:
    write_environment(data, python=sys.executable)
    world = make_world(data, slots_cpus=4, slots_memory_mb=8192, **LOOPBACK)
    if what == "run":
        request = WebhookRequest(url=url, topics=(Topic.RUN_START, Topic.RUN_END))
        _, secret = world.made.context.webhooks.add(user("bob"), request)
        world.registry.publish(user("ada"), notebook())
        run, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={"n": 3}))
        world.look_until(run.id)
        print(secret, flush=True)
    else:
        world.made.hooks.deliverer.start()
        print("delivering", flush=True)
    threading.Event().wait(60)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
