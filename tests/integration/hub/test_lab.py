"""A JupyterLab server as spawned: what its user has there, and what he can't reach."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

#: Tries to read what is not the user's; says for each thing whether it got it.
ATTACK = """
import glob, os, socket, subprocess
def reads(path):
    try:
        with open(path, "rb") as file:
            return bool(file.read(64))
    except OSError:
        return False
def holds(path, text):
    try:
        with open(path, "rb") as file:
            return text in file.read()
    except OSError:
        return False
def lists(path):
    try:
        return bool(os.listdir(path))
    except OSError:
        return False
def writes(path):
    try:
        with open(path, "w") as file:
            return bool(file.write("x"))
    except OSError:
        return False
data = {data!r}
answer = {{
    "another home": lists(data + "/homes/ben") or reads(data + "/homes/ben/note.txt") or lists("/home/ben"),
    "homes": lists(data + "/homes"),
    "secrets": lists(data + "/secrets") or reads(data + "/secrets/initial-password"),
    "hub's database": reads(data + "/hub/jupyterhub.sqlite"),
    "quota's database": reads(data + "/quota/quota.sqlite"),
    "marketplace's database": reads(data + "/marketplace/marketplace.sqlite"),
    "log": reads(data + "/logs/hub.log"),
    "shadow": reads("/etc/shadow"),
    "root's home": lists("/root"),
    "others' processes": any(holds(p, b"swath_hub.app") for p in glob.glob("/proc/[0-9]*/cmdline")),
    "hub's environment": any(holds(p, b"SWATH_HUB_SETTINGS") for p in glob.glob("/proc/[0-9]*/environ")),
    "archive, to write": writes("/archive/about.txt"),
    "environment, to write": writes(os.path.join(os.path.dirname(os.__file__), "x")),
    "samples, to write": writes(os.path.expanduser("~/samples/x")),
    "kernelspecs, to write": writes("/opt/swath/jupyter/x"),
    "to become root": subprocess.run(["setpriv", "--reuid", "0", "true"], capture_output=True).returncode == 0,
}}
"""


def test_what_is_not_hers_is_not_there(copy: Any, ada: Any) -> None:
    reached = ada.answer(ATTACK.format(data=str(copy.data)))
    assert not [name for name, got in reached.items() if got]


def test_the_same_attack_outside_the_sandbox_gets_most_of_it(copy: Any, ada: Any) -> None:
    """The control: what is tried above is there to be had."""
    del ada
    tried: dict[str, Any] = {}
    without_writes = re.sub(r'(?m)^    "[^"]*(to write|to become root)".*\n', "", ATTACK)
    exec(without_writes.format(data=str(copy.data)), tried)
    got = {name for name, reached in tried["answer"].items() if reached}
    assert got >= {
        "another home",
        "homes",
        "secrets",
        "hub's database",
        "quota's database",
        "log",
        "others' processes",
        "hub's environment",
    }


def test_what_is_hers_is_there(ada: Any) -> None:
    code = """
import getpass, os, sys
from pathlib import Path
(Path.home() / "mine.txt").write_text("kept")
answer = {
    "home": str(Path.home()), "user": getpass.getuser(), "here": os.getcwd(), "archive": os.listdir("/archive"),
    "samples": (Path.home() / "samples").is_dir(), "swath": os.environ["SWATH_ARCHIVE"], "uid": os.getuid(),
    "runtime": os.environ["JUPYTER_RUNTIME_DIR"], "kernel": os.environ["SWATH_ENVIRONMENT"],
}
"""
    seen = ada.answer(code)
    assert seen.pop("uid") != 0
    assert seen.pop("here") in {"/home/ada", "/tmp"}
    assert seen == {
        "home": "/home/ada",
        "user": "ada",
        "archive": ["about.txt"],
        "samples": True,
        "swath": "/archive",
        "runtime": "/tmp/jupyter",
        "kernel": "eo",
    }
    assert (ada.copy.data / "homes" / "ada" / "mine.txt").read_text() == "kept"


def test_nothing_of_the_operators_environment_is_there(ada: Any) -> None:
    names = set(ada.answer("import os; answer = sorted(os.environ)"))
    assert "SWATH_HUB_SETTINGS" not in names
    assert not {name for name in names if "SECRET" in name or "PASSWORD" in name}
    assert {name for name in names if "TOKEN" in name} <= {"JUPYTERHUB_API_TOKEN"}


def test_the_servers_token_reads_publishes_and_executes_and_no_more(ada: Any) -> None:
    code = """
import os, httpx
url, head = os.environ["SWATH_URL"], {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
def status(method, path, **settings):
    return httpx.request(method, url + path, headers=head, trust_env=False, **settings).status_code
answer = {
    "scopes": httpx.get(url + "hub/api/user", headers=head, trust_env=False).json()["scopes"],
    "wallet": status("GET", "services/quota/wallet"),
    "runs": status("GET", "services/marketplace/runs"),
    "clusters": httpx.get(url + "services/dask-gateway/api/v1/clusters/", trust_env=False,
                          headers={"Authorization": "jupyterhub " + head["Authorization"][6:]}).status_code,
    "new token": status("POST", "hub/api/users/ada/tokens", json={"note": "more"}),
    "users": status("GET", "hub/api/users"),
    "stop": status("DELETE", "hub/api/users/ada/server"),
    "another's server": status("POST", "hub/api/users/ben/server"),
}
"""
    got = ada.answer(code)
    swath = {scope for scope in got.pop("scopes") if scope.startswith("custom:")}
    assert swath == {"custom:swath:read", "custom:swath:publish", "custom:swath:execute"}
    assert {name: got.pop(name) for name in ("wallet", "runs", "clusters")} == dict.fromkeys(
        ("wallet", "runs", "clusters"), 200
    )
    assert not {name: status for name, status in got.items() if status not in (403, 404)}


def test_another_user_cant_use_her_server(copy: Any, ada: Any, tokens: dict[str, str], lab: Callable[..., Any]) -> None:
    ben = lab("ben", tokens["ben"])
    assert ben.api("GET", "user/ada/api/contents").status_code == 403
    del copy
    # Nor past the proxy, on the loopback that all servers share.
    port = int(ada.answer("import os; answer = os.environ['JUPYTERHUB_SERVICE_URL']").rsplit(":", 1)[1].split("/")[0])
    import httpx

    direct = f"http://127.0.0.1:{port}/user/ada/api/contents"
    headers = {"Authorization": f"token {tokens['ben']}"}
    assert httpx.get(direct, trust_env=False).status_code == 403
    assert httpx.get(direct, headers=headers, trust_env=False).status_code == 403


def test_nothing_on_the_shared_loopback_answers_without_a_token(ada: Any) -> None:
    """All servers share the machine's network: each port of ours has to say no, or nothing worth having."""
    state = ada.copy.state
    code = f"""
import http.client
answer = {{}}
for name, port in {state["ports"]!r}.items():
    for path in ("/api/routes", "/api/v1/routes", "/metrics", "/hub/metrics", "/hub/api/users", "/api/v1/clusters/",
                 "/services/quota/wallet", "/services/marketplace/runs",
                 "/services/dask-gateway/api/v1/clusters/", "/clusters/"):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            answer[name + path] = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            answer[name + path] = 0
"""
    answers = ada.answer(code)
    # A redirect leads to the sign-in page.
    assert not {where: status for where, status in answers.items() if status not in (0, 302, 400, 401, 403, 404)}


def test_kernels_speak_through_files_and_not_on_loopback(ada: Any) -> None:
    code = """
import json, os
from ipykernel.connect import get_connection_file
answer = json.load(open(get_connection_file()))["transport"]
"""
    assert ada.answer(code) == "ipc"


def test_only_the_built_environments_are_kernels(ada: Any) -> None:
    found = ada.api("GET", "user/ada/api/kernelspecs").json()
    assert {name: spec["spec"]["display_name"] for name, spec in found["kernelspecs"].items()} == {
        "python3": "Earth observation"
    }


def test_lab_asks_nobody_outside(ada: Any) -> None:
    page = ada.api("GET", "user/ada/lab").text
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    settings = json.loads(found[1])
    assert settings["news"] == {"disabled": True}
    assert settings["extensionManager"]["can_install"] is False


def test_stopping_the_server_ends_what_it_started(
    copy: Any, person: Callable[[str], Any], lab: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    eve = lab("eve", person("eve").sign_in().new_token())
    took = eve.start()
    assert took < 30
    code = """
import os, subprocess
subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM HUP INT; sleep 1000; sleep 1000"], start_new_session=True)
answer = True
"""
    eve.answer(code)

    def processes() -> list[str]:
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if b"JUPYTERHUB_USER=eve" in environ.read_bytes().split(b"\0"):
                    found.append(environ.parent.name)
            except OSError:
                continue
        return found

    assert len(processes()) >= 3
    eve.stop()
    wait(lambda: not processes(), what="no process of hers is left")
    # And she may come again.
    eve.start()
    assert eve.answer("answer = 1 + 1") == 2
    eve.stop()


def test_a_users_link_in_place_of_samples_leads_nowhere(
    copy: Any, person: Callable[[str], Any], lab: Callable[..., Any]
) -> None:
    token = person("oscar").sign_in().new_token()
    home = copy.data / "homes" / "oscar"
    home.mkdir(mode=0o700)
    (home / "samples").symlink_to(copy.data / "secrets")
    oscar = lab("oscar", token)
    oscar.start()
    assert (
        oscar.answer("import os; answer = os.listdir('/home/oscar/samples')")
        == sorted(path.name for path in (copy.data / "hub" / "samples").iterdir())
        or not (home / "samples").is_symlink()
    )
    assert not (home / "samples").is_symlink()
    oscar.stop()


def test_memory_is_limited(person: Callable[[str], Any], lab: Callable[..., Any], given_up: list[str]) -> None:
    if given_up:
        pytest.skip("no control groups here: nothing is limited, as the operator was told")
    greedy = lab("greedy", person("greedy").sign_in().new_token())
    greedy.start()
    code = """
import os, sys
pid = os.fork()
if pid == 0:
    hoard = [bytes(bytearray(os.urandom(1)) * (64 << 20)) for _ in range(60)]
    os._exit(0)
_, status = os.waitpid(pid, 0)
answer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
"""
    assert greedy.answer(code) == 9
    greedy.stop()


def test_a_size_that_is_not_offered_is_refused(person: Callable[[str], Any], lab: Callable[..., Any]) -> None:
    wanting = lab("wanting", person("wanting").sign_in().new_token())
    answer = wanting.api("POST", "hub/api/users/wanting/server", json={"profile": "colossal"})
    assert answer.status_code == 400
    assert "standard" in answer.json()["message"]
