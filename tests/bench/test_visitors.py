"""Fifty visitors at once, as a ratio to one visitor alone: python -m pytest tests/bench/test_visitors.py -s

A visitor is a raw websocket that speaks Streamlit's protobuf as a browser does, with the app as it runs in production: it opens a
page, then moves the page's first control several times with some seconds between. On a page that has a prompt every second
visitor brings a new one, so that its numbers are worked out anew; the others share what is known. The clock runs from a message
to the end of the script.

Every run must have ended well, without an exception, and its pictures must say in the links of their files that they show the
value asked for; the same address and value give the same pictures to everybody, and no two addresses are alike. Only the ratio
of the 95th percentile to the median of one visitor alone, measured just before, is bounded. A round beyond the bound on a busy
machine is measured once more, and the better of the two counts.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import StringArray
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import connect  # Streamlit brings it

from app.figures.frame import unpack
from core.model.registry import PAGES
from tests.bench.test_repaint import fresh
from tests.browser import driver

RATIO = 10.0  # the aim
VISITORS, ALONE, MOVES = 50, 5, 4
THINK, PAUSE = (3.0, 7.0), (0.1, 0.3)  # s between two moves of one of many, and of the one who is alone
LIMIT = 45  # s: a round that takes longer has failed
FRAME = ("stage", "section")  # controls of the frame, not of a page


class Visitor:
    """One session of a page, without a browser: what it was sent, what it asks next."""

    def __init__(self, socket, base: str, address: str):
        self.socket, self.address, self.control = socket, address, None
        self.message, self.kept = BackMsg(), {}
        self.asked = self.message.rerun_script
        parts = urlsplit(f"{base}/{address}")
        self.asked.page_name, self.asked.query_string = parts.path.strip("/"), parts.query
        self.asked.context_info.url = parts.geturl()

    async def run(self) -> tuple[float, list]:
        """Ask for a run of the script -> ms until it is finished, its elements."""
        self.asked.cached_message_hashes[:] = self.kept
        elements, start = [], time.perf_counter()
        await self.socket.send(self.message.SerializeToString())
        while (got := self.read(await self.socket.recv())).WhichOneof("type") != "script_finished":
            if got.WhichOneof("type") == "navigation":
                self.asked.page_script_hash = got.navigation.page_script_hash
            elif got.WhichOneof("type") == "delta":
                elements.append(got.delta.new_element)
        ms = 1000 * (time.perf_counter() - start)
        wrong = [element.exception.message for element in elements if element.HasField("exception")]
        assert got.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and not wrong, (self.address, got, wrong)
        self.control = first_control(elements)
        return ms, elements

    def read(self, raw: bytes) -> ForwardMsg:
        """One message; large ones that were sent before come as a reference, as to a browser."""
        got = ForwardMsg.FromString(raw)
        if got.WhichOneof("type") == "ref_hash":
            return self.kept[got.ref_hash]
        if got.metadata.cacheable:
            self.kept[got.hash] = got
        return got

    def options(self) -> list[str]:
        """The values of the first control, as they are written on it."""
        return [getattr(option, "content", option) for option in self.control.options]

    async def move(self, option: str) -> tuple[float, str]:
        """The first control to an option -> ms, a digest of the pictures that came."""
        name = self.control.query_param_key
        self.asked.query_string = urlencode(dict(parse_qsl(self.asked.query_string)) | {name: option})
        state = WidgetState(id=self.control.id, string_array_value=StringArray(data=[option]))
        self.asked.widget_states.CopyFrom(WidgetStates(widgets=[state]))
        ms, elements = await self.run()
        values, digest = pictures(elements, name)
        assert values == {option}, f"{self.address}: the pictures show {name} = {values or 'nothing'}, asked was {option}"
        return ms, digest


def first_control(elements: list):
    """A page's first slider or choice that belongs to its link."""
    drawn = (getattr(e, e.WhichOneof("type")) for e in elements if e.WhichOneof("type") in ("slider", "button_group"))
    found = next((c for c in drawn if c.query_param_key and c.query_param_key not in FRAME and len(c.options) > 1), None)
    assert found, "the page has no slider or choice that is bound to its link"
    return found


def pictures(elements: list, name: str) -> tuple[set[str], str]:
    """What the pictures of a run show: the values of a parameter in the links of their files, and a digest of what is drawn."""
    packs = [unpack(e.bidi_component.bytes) for e in elements if e.bidi_component.bytes]
    links = [parse_qs(urlsplit(header["config"].get("link", "")).query) for header, _ in packs]
    specs = [e.plotly_chart.spec.encode() for e in elements if e.HasField("plotly_chart")]
    drawn = b"\0".join([bytes(blob) for _, blob in packs] + specs)
    return {value for link in links for value in link.get(name, ())}, hashlib.sha256(drawn).hexdigest()


@dataclass
class Round:
    """ms of one visitor's moves alone, of many visitors' moves, and of their opening; what was seen at each address and value."""

    alone: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    def ratio(self) -> float:
        """The 95th percentile among many by the median alone."""
        return p95(self.moves) / median(self.alone)

    def alike(self) -> int:
        """How many addresses showed what another one showed, or always the same although several values were asked for.

        Two values of one address may look alike: a window longer than the text hides nothing, however long it is.
        """
        shown: dict[str, list[str]] = {}
        for (address, _), digest in self.seen.items():
            shown.setdefault(address, []).append(digest)
        owners = Counter(digest for digests in shown.values() for digest in set(digests))
        return sum(
            any(owners[d] > 1 for d in digests) or (len(digests) > 2 and len(set(digests)) == 1) for digests in shown.values()
        )

    def see(self, address: str, option: str, digest: str) -> None:
        """Everybody sees the same at the same address and value."""
        assert self.seen.setdefault((address, option), digest) == digest, (
            f"{address}, {option}: two visitors saw different pictures"
        )


async def visit(base: str, page: str, number: int, kept: Round, times: list[float], think: tuple[float, float]) -> None:
    """One visitor from the opening to the last move; those with odd numbers come with a prompt of their own."""
    chance, address = random.Random(number), fresh(page, number) if number % 2 else page
    async with connect(f"ws{base.removeprefix('http')}/_stcore/stream", subprotocols=["streamlit"], proxy=None) as socket:
        visitor = Visitor(socket, base, address)
        kept.opening.append((await visitor.run())[0])
        at = visitor.options()[int(visitor.control.default[0])] if visitor.control.default else None
        for _ in range(MOVES):
            await asyncio.sleep(chance.uniform(*think))
            at = chance.choice([option for option in visitor.options() if option != at])
            ms, digest = await visitor.move(at)
            times.append(ms)
            kept.see(address, at, digest)


async def measure(base: str, page: str, offset: int) -> Round:
    """One round: a few visitors one after another, then many at once."""
    kept = Round()
    async with within(page):
        for number in range(offset, offset + ALONE):
            await visit(base, page, number, kept, kept.alone, PAUSE)
        kept.opening.clear()
        numbers = range(offset + ALONE, offset + ALONE + VISITORS)
        await asyncio.gather(*(visit(base, page, number, kept, kept.moves, THINK) for number in numbers))
    return kept


@asynccontextmanager
async def within(page: str):
    """A round that takes no end is an answer, too."""
    try:
        async with asyncio.timeout(LIMIT):
            yield
    except TimeoutError:
        raise AssertionError(f"{page}: {VISITORS} visitors, and one before them, are not served within {LIMIT} s") from None


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return quantiles(times, n=20)[-1]


def report(name: str, rounds: list[Round]) -> None:
    """The table."""
    print(
        f"\n{name}: ms from a message to the end of the script; {VISITORS} at once, {THINK[0]:g} to {THINK[1]:g} s between moves"
    )
    print("  round               n  median     p95  p95 by median alone")
    for at, kept in enumerate(rounds, 1):
        for what, times in (("alone", kept.alone), ("at once", kept.moves), ("opening", kept.opening)):
            ratio = f"{p95(times) / median(kept.alone):>10.1f}" if times is kept.moves else ""
            print(f"  {at:>5} {what:9} {len(times):>5} {median(times):>7.0f} {p95(times):>7.0f} {ratio}")
        print(f"        {len(kept.seen)} different pictures in {len(kept.alone) + len(kept.moves)} moves")
    if len(rounds) > 1:
        print("  The first round was beyond the bound and measured again; the better round counts.")


@pytest.fixture(scope="module")
def base():
    """The address of the app under the settings of production."""
    with driver.serving(driver.ROOT, "app/main.py") as app:
        yield app


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_of_fifty_visitors_nearly_all_wait_less_than_ten_times_as_long_as_one(base, name):
    rounds = [asyncio.run(measure(base, name, 0))]
    if rounds[0].ratio() >= RATIO:
        rounds.append(asyncio.run(measure(base, name, ALONE + VISITORS)))
    report(name, rounds)
    for kept in rounds:
        assert len(kept.alone) == ALONE * MOVES and len(kept.moves) == VISITORS * MOVES
        assert kept.alike() == 0 and len(kept.seen) > 1, f"{kept.alike()} addresses gave no pictures of their own"
    assert min(kept.ratio() for kept in rounds) < RATIO
