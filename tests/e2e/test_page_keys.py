"""Pages with scripts in a real browser: their own act by the page's key, and no script of another page gets at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import PREFIX, make_world, notebook, write_environment
from swath_service.actor import Scope
from swath_service.page_keys import PageKeys

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, load: Any) -> Iterator[Any]:
    data: Path = tmp_path_factory.mktemp("pages")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    world = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    with load("pages_stack").serving(world) as made:
        yield made
    world.made.database.dispose()


@pytest.fixture(scope="module")
def run_id(stack: Any) -> str:
    ada = stack.world.identity.actors["ada"]
    stack.world.registry.publish(ada, notebook(), version="1.0.0")
    run, _ = stack.world.runs.create(ada, RunRequest(algorithm="ada/double@^1", parameters={}))
    return str(stack.world.look_until(run.id).id)


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_its_own_script_acts_by_its_key(stack: Any, page: Any, run_id: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(stack.at(f"runs/{run_id}"))
    found = page.evaluate(
        """async (path) => {
            const { key, base } = JSON.parse(document.getElementById('page').textContent);
            const ask = (headers) => fetch(`${base}/${path}`, { headers, credentials: 'include' })
                .then((answer) => answer.status, () => 'refused');
            return { origin: self.origin, key: key.slice(0, 11), with: await fetch(`${base}/${path}`,
                { headers: { Authorization: `Bearer ${key}` } }).then((answer) => answer.status),
                cookie: await ask({}), style: getComputedStyle(document.querySelector('.top')).borderBottomStyle };
        }""",
        f"runs/{run_id}",
    )
    assert found == {"origin": "null", "key": "swath-page-", "with": 200, "cookie": "refused", "style": "solid"}
    assert not [said for said in complaints if "Content Security" in said], complaints


GETS = """
    async ({ base, path }) => {
        const told = {};
        const key = (text) => (text.match(/swath-page-[\\w-]+/) ?? ['none'])[0];
        told.fetch = key(await (await fetch(`${base}${path}`, { headers: { Accept: 'text/html' } })).text());
        const frame = document.createElement('iframe');
        frame.src = `${base}${path}`;
        document.body.append(frame);
        await new Promise((done) => { frame.onload = done; setTimeout(done, 2000); });
        const of = (page) => {
            try { return key(page().documentElement.outerHTML); } catch (error) { return error.name; }
        };
        told.frame = of(() => frame.contentDocument);
        const opened = window.open(`${base}${path}`);
        await new Promise((done) => setTimeout(done, 1500));
        told.opened = of(() => opened.document);
        const object = await fetch(`${base}${path}`, { mode: 'same-origin' });
        told.same = key(await object.text());
        return told;
    }
"""


def test_a_lab_servers_page_gets_no_key(stack: Any, page: Any, run_id: str) -> None:
    page.goto(stack.at(f"runs/{run_id}"))
    page.goto(f"{stack.url}/user/eve/")
    page.context.grant_permissions([])
    told = page.evaluate(GETS, {"base": PREFIX, "path": f"runs/{run_id}"})
    assert told["fetch"] == "none"
    assert told["same"] == "none"
    assert told["frame"] in {"none", "TypeError", "SecurityError"}
    assert told["opened"] == "SecurityError"


WORKER = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(Promise.all([
    self.registration.navigationPreload.enable(), self.clients.claim()])));
const found = [];
const tell = (kind, text) => found.push(`${kind}:${(text.match(/swath-page-/) ?? ['none'])[0]}`);
self.addEventListener('message', (event) => event.source.postMessage(found));
self.addEventListener('fetch', (event) => {
    if (event.request.mode !== 'navigate' || !event.request.url.includes('/runs/')) return;
    event.respondWith((async () => {
        const preload = await event.preloadResponse;
        if (preload) tell('preload', await preload.clone().text());
        const passed = await fetch(event.request);
        tell('passed', await passed.clone().text());
        tell('copied', await (await fetch(event.request.url, { headers: event.request.headers })).text());
        return passed;
    })());
});
"""


def test_a_service_worker_in_between_gets_no_key(stack: Any, page: Any, run_id: str) -> None:
    stack.evil["worker.js"] = ("text/javascript", WORKER)
    page.goto(stack.at(f"runs/{run_id}"))
    page.goto(f"{stack.url}/user/eve/")
    page.evaluate("""async () => {
        await navigator.serviceWorker.register('/user/eve/worker.js', { scope: '/' });
        await navigator.serviceWorker.ready;
    }""")
    page.goto(stack.at(f"runs/{run_id}"))
    assert "opened in a way that lets none of its scripts run" in page.text_content("main")
    page.goto(f"{stack.url}/user/eve/")
    found = page.evaluate("""() => new Promise((done) => {
        navigator.serviceWorker.addEventListener('message', (event) => done(event.data));
        navigator.serviceWorker.controller.postMessage('what');
    })""")
    assert found, "the worker saw nothing"
    assert set(found) == {"preload:none", "passed:none", "copied:none"}


def test_scripts_of_users_do_not_run_in_it(stack: Any, page: Any, run_id: str) -> None:
    stack.evil["lib.js"] = ("text/javascript", "globalThis.owned = true")
    page.goto(stack.at(f"runs/{run_id}"))
    owned = page.evaluate("""async () => {
        const script = document.createElement('script');
        document.body.insertAdjacentElement('beforeend', script);
        try { script.src = '/user/eve/lib.js'; } catch (error) { return error.name; }
        await new Promise((done) => setTimeout(done, 500));
        return String(globalThis.owned);
    }""")
    assert owned == "TypeError"
    assert page.evaluate("() => { try { document.body.innerHTML = '<b>'; } catch (error) { return error.name; } }") == (
        "TypeError"
    )


def test_signing_out_ends_the_key(stack: Any, page: Any, run_id: str) -> None:
    page.goto(stack.at(f"runs/{run_id}"))
    status = """async (path) => {
        const { key, base } = JSON.parse(document.getElementById('page').textContent);
        return (await fetch(`${base}/${path}`, { headers: { Authorization: `Bearer ${key}` } })).status;
    }"""
    assert page.evaluate(status, "runs") == 200
    answer = page.context.request.post(stack.at("logout"), max_redirects=0)
    assert answer.status == 303
    assert page.evaluate(status, "runs") == 401
    assert Scope.READ.value in stack.world.identity.actors["ada"].scopes


def test_a_form_that_is_left_open_goes_on_until_the_sign_in_ends(
    stack: Any, page: Any, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by setattr: what an application's state holds is in no attribute, and would be gone afterwards.
    monkeypatch.setitem(stack.app.state._state, "page_keys", PageKeys(key_seconds=1.2))
    page.goto(stack.at("algorithms/ada/double/versions/1.0.0/run"))
    written = page.evaluate("JSON.parse(document.getElementById('page').textContent).key")
    page.wait_for_timeout(1500)
    with page.expect_response(lambda answer: answer.url.endswith("/quotes")) as priced:
        page.fill("#p-n", "4")
    assert priced.value.status == 200
    assert priced.value.request.headers["authorization"] not in {f"Bearer {written}", "Bearer "}
    page.fill("#budget", "2.5")
    page.context.request.post(stack.at("logout"), max_redirects=0)
    page.wait_for_selector("#signed-out")
    page.fill("#p-n", "5")
    assert page.locator("#signed-out").count() == 1
    picture(page, "signed-out")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again in a new tab").press("Enter")
    other = opened.value
    other.wait_for_selector("#quote .price")
    assert (other.input_value("#p-n"), other.input_value("#budget")) == ("5", "2.5")
    assert (page.input_value("#p-n"), page.locator("#start").is_visible()) == ("5", True)
    # Of its own right: signing in needs cookies, which a page that had inherited the sandbox could not have set.
    other.goto(f"{stack.url}/user/eve/")
    assert other.evaluate("self.origin") == stack.url


def test_an_account_leaves_and_arrives_by_its_page(stack: Any, page: Any, run_id: str) -> None:
    page.goto(stack.at("account"))
    page.get_by_role("button", name="Make an archive").press("Enter")
    with page.expect_download() as got:
        page.get_by_role("link", name="Download").click(timeout=20_000)
    archive = Path(got.value.path()).read_bytes()
    for name, content, state in (("cut.zip", archive[:-100], "refused"), ("whole.zip", archive, "done")):
        page.set_input_files("#archive", {"name": name, "mimeType": "application/zip", "buffer": content})
        page.get_by_role("button", name="Check and bring in").press("Enter")
        page.wait_for_selector(f"[aria-labelledby=imports] .verdict.{state}", timeout=20_000)
    assert "cut off" in page.inner_text("[aria-labelledby=imports]")
    picture(page, "account")


def picture(page: Any, name: str) -> None:
    """A picture to look at, where somebody asked for some."""
    if folder := os.environ.get("SWATH_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
