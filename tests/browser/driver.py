"""What the browser tests share: a server of any script on a free port, and a Chromium.

CHROMIUM names the browser; without it Debian's headless shell is used, which needs a quarter less time, or else its Chromium.
Where there is none the tests fail and say so.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect, sync_playwright

from core.paths import ROOT

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), None
)
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


@contextmanager
def shared(place: Path, folder: Path, script: str, make: Callable[[Path], object] = lambda folder: None):
    """A server for all processes that test with the same `place`: the first of them makes the folder and starts it.

    Each of them locks `users` together with the others for as long as it lives. A keeper holds the server and waits for that lock
    alone, so that the last one out stops it, and a process that was killed is out as well.
    """
    place.mkdir(exist_ok=True)
    with (place / "users").open("w") as users, (place / "door").open("w") as door:
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_EX)
        if not (place / "address").exists():
            if not folder.exists():
                make(folder)
            command = [sys.executable, "-m", "tests.browser.keeper", str(place), str(folder), script]
            keeper = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE)
            assert keeper.stdout.readline(), "the server does not start"
        address = (place / "address").read_text()
        fcntl.flock(door, fcntl.LOCK_UN)
        wait_for(f"{address}/_stcore/health")
        yield address


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
idle = []  # tabs that nobody looks at: the scripts of the app are compiled in them, which is half of the work of a first visit
worn = Counter()  # how often each of them was left
MOST = 15  # then it is closed: what renders it has grown by a gigabyte


@contextmanager
def browser():
    """A headless Chromium: the one that runs already, where there is one."""
    assert CHROMIUM, (
        "the browser tests need apt-get install chromium-headless-shell, or a Chromium that the variable CHROMIUM names"
    )
    if running:
        yield running[0]
        return
    with sync_playwright() as playwright:
        running.append(playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS))
        try:
            yield running[0]
        finally:
            idle.clear()
            worn.clear()
            running.pop().close()


# Nothing moves by itself: the processor draws every frame of what Streamlit shows while it waits, as much as a tenth of a core.
STILL = """(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, *::before, *::after { animation: none !important; transition: none !important }");
  document.adoptedStyleSheets.push(sheet);
})()"""


@lru_cache(maxsize=1)
def window(chromium):
    """What all tabs of a browser share: scripts and fonts that one has loaded are there for the next."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.add_init_script(STILL)
    return context


def leave(tab, stay: bool) -> None:
    """A tab goes back among the idle ones: as it stands, if it may and nothing in it failed, otherwise empty."""
    tab.evaluate("sessionStorage.clear()")
    worn[tab] += 1
    if worn[tab] > MOST:
        worn.pop(tab)
        tab.close()
        return
    if not (stay and tab.evaluate(SOUND)):
        tab.goto("about:blank")
    idle.append(tab)


def take(chromium, base: str):
    """An idle tab, one in which the app at an address stands where there is such a one, or else a new tab."""
    best = next((tab for tab in idle if tab.url.startswith(f"{base}/")), idle[-1] if idle else None)
    if best is None:
        return window(chromium).new_page()
    idle.remove(best)
    return best


def enter(tab, base: str, path: str, hop: bool) -> None:
    """Go there: by a link of the app if the tab shows another page of it and that will do, which is half of the work of a load.

    Links on stage lead to the stage, so that nobody leaves it in this way.
    """
    here, there = urlsplit(tab.url), urlsplit(path)
    stage = "stage=1" in there.query or "stage=1" not in here.query
    if hop and stage and tab.url.startswith(f"{base}/") and here.path != f"/{there.path}":
        follow(tab, path)
    else:
        tab.goto(path if path.startswith("http") else f"{base}/{path}")


SOUND = "document.querySelector('[data-test-script-state=notRunning]') && !document.querySelector('.stException')"


def is_error(message) -> bool:
    """Errors but Streamlit's own: on a deep link it first asks for its health below that path, and gets a 404."""
    return message.type == "error" and "/_stcore/" not in message.location.get("url", "")


# Streamlit mounts figures and components after the script is done, Plotly fetches its code first, and any of them may be late on
# a busy machine: the page is at rest when its script is done, all that is on it is drawn and nothing has changed for a while.
REST = """([quiet, limit]) => new Promise((done) => {
  const began = performance.now(), known = new WeakSet();
  let last = began;
  const observer = new MutationObserver(() => { last = performance.now() });
  const watch = (root) => {
    if (!known.has(root)) {
      known.add(root);
      observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    }
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) watch(node.shadowRoot);
  };
  const waits = () => {
    if (!document.querySelector("[data-test-script-state=notRunning]")) return "the script runs";
    if (document.querySelector("[data-testid=stSkeleton]")) return "something is not loaded";
    const charts = [...document.querySelectorAll(".stPlotlyChart")].filter((chart) => chart.checkVisibility());
    if (charts.some((chart) => !chart.querySelector(".main-svg"))) return "a chart is not drawn";
    return performance.now() - last > quiet ? "" : "something changes";
  };
  const look = () => {
    watch(document);
    const why = waits(), over = performance.now() - began > limit;
    if (why && !over) return setTimeout(look, 25);
    observer.disconnect();
    done(why);
  };
  look();
})"""


def rest(tab, quiet: int = 200, limit: int = 30_000) -> None:
    """Until the script is done, every chart is drawn and nothing has changed for `quiet` ms."""
    assert not (why := tab.evaluate(REST, [quiet, limit])), why


def settle(tab) -> None:
    """Until the page stands and is at rest."""
    tab.wait_for_selector(".cw-state", state="attached", timeout=30_000)
    rest(tab)


# The script begins to run in a moment. Where that is too short to be seen, what is waited for next tells.
FOLLOW = """(url) => new Promise((done) => {
  const observer = new MutationObserver(() => { observer.disconnect(); done() });
  observer.observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-test-script-state"] });
  setTimeout(() => { observer.disconnect(); done() }, 3000);
  const link = Object.assign(document.createElement("a"), { className: "cw-link", href: url });
  document.querySelector(".stApp").append(link);
  link.click();
  link.remove();
})"""


def follow(tab, path: str) -> None:
    """A link of the app, clicked in a page at rest: the address changes without a load, and the page there comes to rest."""
    tab.evaluate(FOLLOW, "{0.scheme}://{0.netloc}/{1}".format(urlsplit(tab.url), path))
    page = urlsplit(path).path
    tab.wait_for_selector(f".cw-state[data-page='{page}']", state="attached", timeout=30_000)
    settle(tab)


def holds(tab, said, limit: int = 10_000) -> None:
    """Until `said()` is true: for what is read from a page in one go, which may be a moment behind."""
    for _ in range(limit // 100):
        if said():
            return
        tab.wait_for_timeout(100)
    assert said()


def parameters(address) -> dict[str, str]:
    """What a link, or the address of a tab, says: the first value of each name."""
    return {key: values[0] for key, values in parse_qs(urlsplit(getattr(address, "url", address)).query).items()}


def copied(tab) -> str:
    """The link that "Copy link" leaves on the clipboard, the page being at rest."""
    rest(tab)
    tab.evaluate("navigator.clipboard.writeText('nothing yet')")
    tab.get_by_role("button", name="Copy link").click()
    expect(tab.get_by_text("Copied")).to_be_visible()
    holds(tab, lambda: tab.evaluate("navigator.clipboard.readText()") != "nothing yet")
    return tab.evaluate("navigator.clipboard.readText()")


def card(tab, key: str):
    """A card by its key: while Streamlit changes one for another both stand there for a moment, and the last is the new one."""
    return tab.locator(f".st-key-cw-card-{key}").last


def canvases(tab) -> list[str]:
    """All panels of the canvas figures as data addresses, the page being at rest."""
    return tab.locator(".map canvas:first-child").evaluate_all("all => all.map(c => c.toDataURL())")


def drawn(tab, page):
    """The tab, once the panels and the Plotly figure of a mechanism's first section stand."""
    expect(tab.locator(".map")).to_have_count(page.screen.maps, timeout=20_000)
    expect(tab.locator(f".st-key-figure-{page.screen.figure} .main-svg").first).to_be_visible(timeout=20_000)
    settle(tab)
    return tab


def press(tab, slider: str, key: str) -> None:
    """One key on a slider."""
    tab.locator(f".st-key-{slider} input[type=range]").press(key)


def sideways(tab) -> int:
    """Pixels that the page, or the box that scrolls in it, is wider than what is seen: 0 where nothing scrolls sideways."""
    boxes = "[document.documentElement, ...document.querySelectorAll('.stMain')]"
    return tab.evaluate(f"Math.max(...{boxes}.map(box => box.scrollWidth - box.clientWidth))")


@contextmanager
def visitors(chromium, base: str, stay: bool = False):
    """A function that opens addresses; when all is over nothing may have failed or asked another host. Tabs in which the app may
    `stay` are there for who comes next and says that a `hop` inside the app will do."""
    tabs, wrong = [], []

    listeners = {
        "pageerror": lambda error: wrong.append(str(error)),
        "console": lambda message: wrong.append(message.text) if is_error(message) else None,
        "request": lambda r: None if r.url.startswith((base, "data:", "blob:")) else wrong.append(r.url),
    }

    def open_page(path: str = "", width: int = 1440, height: int = 900, dark: bool = False, hop: bool = False):
        tab = take(chromium, base)
        tabs.append(tab)
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme="dark" if dark else "light")
        for event, listener in listeners.items():
            tab.on(event, listener)
        enter(tab, base, path, hop)
        return tab

    yield open_page
    for tab in tabs:
        for event, listener in listeners.items():
            tab.remove_listener(event, listener)
        leave(tab, stay and not wrong)
    assert not wrong, wrong


@contextmanager
def readers(chromium, base: str):
    """The same, but a page stands before anybody looks at it."""
    with visitors(chromium, base, stay=True) as open_page:

        def opened(path: str, *size, **how):
            tab = open_page(path, *size, **how)
            settle(tab)
            return tab

        yield opened
