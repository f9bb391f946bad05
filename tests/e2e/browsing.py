"""A person in Chromium: what she does, what her browser asked for, and what it complained about."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PROMPTS = """
    [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputArea-prompt')]
    .map(prompt => prompt.textContent.trim())
"""
_BAD = ", ".join(f'[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium with an empty profile; nothing is downloaded."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.fail("there is no Chromium for the tests to drive: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """One person's window; cookies are her own."""

    page: Page
    url: str
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def enter(cls, browser: Browser, url: str) -> Visitor:
        page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
        visitor = cls(page=page, url=url)
        page.context.on("request", lambda request: visitor.asked(request.url))
        page.on("websocket", lambda socket: visitor.asked(socket.url))
        page.on("console", lambda said: visitor.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        return visitor

    def asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about"):
            self.hosts.add(parts.hostname or url)

    def goto(self, path: str) -> Any:
        return self.page.goto(self.url + path)

    def sign_in(self, name: str, passcode: str) -> None:
        """Fill in the form that is shown, and send it."""
        self.page.fill("#username_input", name)
        self.page.fill("#password_input", passcode)
        with self.page.expect_navigation():
            self.page.click("#login_submit")

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def open_notebook(self, name: str, path: str) -> None:
        """Show a notebook of `name`'s in JupyterLab, with nothing else open."""
        self.goto(f"user/{name}/lab/tree/{path}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
        self.page.locator(".jp-StatusBar-TextItem, .jp-StatusBar-Widget", has_text="| Idle").first.wait_for(
            timeout=60_000
        )

    def run_all(self, *, seconds: float) -> int:
        """Choose *Run All Cells* in the menu and wait until all have ended; how many cells."""
        deadline, clicked_at = time.monotonic() + seconds, -10.0
        while True:
            prompts = self.page.evaluate(_PROMPTS)
            if set(prompts) == {"[ ]:"} and time.monotonic() - clicked_at > 5:
                # As a person does when nothing happened: the page takes a click before it can act on it.
                self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
                self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
                clicked_at = time.monotonic()
            if all(prompt.strip("[]:").isdecimal() for prompt in prompts):
                return len(prompts)
            assert not self.bad_outputs(), self.bad_outputs()
            assert time.monotonic() < deadline, f"not all cells have ended: {prompts}"
            self.page.wait_for_timeout(250)

    def bad_outputs(self) -> list[str]:
        """Errors, and what was written to standard error."""
        texts: list[str] = self.page.locator(_BAD).all_text_contents()
        return [text[-600:] for text in texts]

    def outputs(self) -> str:
        """The text of all outputs."""
        return "\n".join(self.page.locator(".jp-Notebook .jp-OutputArea-output").all_text_contents())

    def pictures(self) -> list[int]:
        """Widths of the pictures in the outputs, as they were drawn."""
        widths: list[int] = self.page.evaluate(
            "[...document.querySelectorAll('.jp-OutputArea-output img')].map(image => image.naturalWidth)"
        )
        return widths

    def tall_picture(self, name: str) -> None:
        """The notebook from its beginning, as much of it as a long window shows."""
        self.page.set_viewport_size({"width": 1400, "height": 3600})
        self.page.mouse.move(800, 500)
        self.page.mouse.wheel(0, -100_000)
        self.page.wait_for_timeout(1000)  # for the picture alone: what scrolled in is drawn late
        self.picture(name)
        self.page.set_viewport_size({"width": 1400, "height": 1000})
