"""What the browser tests share: a server of any script on a free port, and a Chromium.

CHROMIUM names the browser; Debian's is found by itself. Without one the tests fail and say so.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PRODUCTION = ("--server.fileWatcherType=none", "--runner.postScriptGC=false", "--browser.gatherUsageStats=false")


@contextmanager
def serving(folder: Path, script: str):
    """`streamlit run script` in a folder, with the repository importable -> its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", "--server.address=127.0.0.1"]
    environment = (
        os.environ
        | {"OMP_NUM_THREADS": "1"}
        | ({} if folder == ROOT or (folder / "core").exists() else {"PYTHONPATH": str(ROOT)})
    )
    server = subprocess.Popen(
        [*command, "--server.headless=true", *PRODUCTION],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def wait_for(url: str) -> None:
    """Until an address answers, at most half a minute."""
    for _ in range(150):
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


running = []


@contextmanager
def browser():
    """A headless Chromium: the one that runs already, where there is one."""
    assert CHROMIUM, "the browser tests need Chromium: apt-get install chromium, or name it in the variable CHROMIUM"
    if running:
        yield running[0]
        return
    with sync_playwright() as playwright:
        running.append(playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS))
        try:
            yield running[0]
        finally:
            running.pop().close()


@lru_cache(maxsize=1)
def window(chromium):
    """What all tabs of a browser share: scripts and fonts that one has loaded are there for the next."""
    return chromium.new_context(permissions=["clipboard-read", "clipboard-write"])


def is_error(message) -> bool:
    """Errors but Streamlit's own: on a deep link it first asks for its health below that path, and gets a 404."""
    return message.type == "error" and "/_stcore/" not in message.location.get("url", "")


def settle(tab) -> None:
    """Until the page stands and its script is done."""
    tab.wait_for_selector(".cw-state", state="attached", timeout=30_000)
    tab.wait_for_selector("[data-test-script-state=notRunning]", timeout=30_000)


def sideways(tab) -> int:
    """Pixels that the page, or the box that scrolls in it, is wider than what is seen: 0 where nothing scrolls sideways."""
    boxes = "[document.documentElement, ...document.querySelectorAll('.stMain')]"
    return tab.evaluate(f"Math.max(...{boxes}.map(box => box.scrollWidth - box.clientWidth))")


@contextmanager
def visitors(chromium, base: str):
    """A function that opens addresses; when all is over nothing may have failed or asked another host."""
    tabs, wrong = [], []

    def open_page(path: str = "", width: int = 1440, height: int = 900, dark: bool = False):
        tab = window(chromium).new_page()
        tabs.append(tab)
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme="dark" if dark else "light")
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda message: wrong.append(message.text) if is_error(message) else None)
        tab.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else wrong.append(r.url))
        tab.goto(path if path.startswith("http") else f"{base}/{path}")
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert not wrong, wrong


@contextmanager
def readers(chromium, base: str):
    """The same, but a page stands before anybody looks at it."""
    with visitors(chromium, base) as open_page:

        def opened(path: str, *size, **how):
            tab = open_page(path, *size, **how)
            settle(tab)
            return tab

        yield opened
