"""What every page must do, without a browser: a new page joins with one line in PAGES.

Every section opens at both ends of the first slider, every control moves in every section, nonsense in a link shows the page and
nonsense in the prompt gives a sentence, claims, printed numbers, source and models stand where they belong. What is particular
stands in test_<page>_page.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from core.lessons import gated_deltanet, gqa, liquid, mamba, mixers, rwkv, sliding_window, sparse_attention, xlstm
from core.lessons.code_world_model import evidence as code_world_evidence
from core.lessons.common import model_name
from core.lessons.mla import lesson as mla
from core.lessons.mla import real as mla_real
from core.lessons.moe import lesson as moe
from core.lessons.recursive import lesson as recursive
from core.lessons.text_diffusion import cost as text_cost
from core.train import evidence
from core.train.tasks import recall
from tests.app.opening import drawn, moved, opened, text

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")


@dataclass(frozen=True)
class Page:
    """What is expected of one page; what is empty is not asked of it."""

    name: str
    ends: tuple[dict[str, str], ...]  # links with both ends of its controls
    controls: str  # all of them, in the first section
    shy: dict[str, dict[str, str]]  # controls that only some links show
    real: tuple[str, ...]  # keys of the real models that are picked from the list
    prompts: tuple[tuple[str, tuple[str, ...]], ...]  # prompts that cannot be read, and words of the sentence that says so
    nonsense: tuple[dict[str, str], ...]  # links
    source: tuple[str, ...]  # what stands under Read
    users: Callable[[], list[str]]  # names that stand under Who uses it
    stated: bool = True  # every fact of that table is known
    fewest: int = 5  # rows of it


FRAME = {"section", "stage"}
PROMPT = "prompt cw-pick-prompt cw-surprise-prompt"
LINKS = (
    {"section": "Nowhere"}, {"head": "999"}, {"row": "-1"}, {"row": "1"}, {"row": "999"}, {"step": "1e9"}, {"prompt": "x" * 5000},
    {"layer": "7"}, {"v": "99", "nonsense": "1"}, {"real": "nobody", "section": "Count"},
)  # fmt: skip
RECALL = (
    ("ann lampp ? ann", ("lampp", "nearest: lamp")),
    ("ann lamp", ("question",)),
    ("", ("pairs",)),
    ("<script>alert(1)</script>", ("nearest",)),
    ("ann lamp " * 60 + "? ann", (str(recall.MAX_PAIRS),)),
    ("ann lamp ? zoe", ("never introduced",)),
)
GAPS = (
    ("today the bakker bakes", ("bakker", "nearest: baker")), ("the " * 25, ("24 words",)), ("<script>x</script>", ("nearest",)),
    ("today the bakers bake bread . " * 4, ("gap",)),
)  # fmt: skip
ROUTING = (
    ("whisk the eggz .", ("nearest: eggs",)), ("", ("1 to 64",)), ("rain " * 100, ("64",)), ("<script>x</script>", ("nearest",)),
)  # fmt: skip


def bad(*pairs: tuple[str, str]) -> tuple[dict[str, str], ...]:
    """Links with one parameter that is none."""
    return tuple({key: value} for key, value in pairs)


PAGES = (
    Page(
        "gqa", ({"kv_heads": "1"}, {"kv_heads": "8"}), f"kv_heads positions model cw-pick-shape {PROMPT}",
        {"layer": {"model": gqa.INDUCTION}}, tuple(gqa.dividing(1)[:3]), RECALL,
        bad(("kv_heads", "99"), ("kv_heads", "abc"), ("model", "x"), ("positions", "x")),
        ("class AttentionModule", "arXiv 2305.13245"), lambda: [u["entry"].name for u in gqa.users()],
    ),
    Page(
        "mla", ({"latent": "1"}, {"latent": str(mla.FULL)}), f"latent rope_key form made task cw-pick-shape {PROMPT}",
        {"made": {"latent": "12"}}, tuple(mla_real.keys()), RECALL,
        (*bad(("latent", "99"), ("latent", "x"), ("rope_key", "maybe"), ("form", "x"), ("made", "x"), ("task", "x")),
         {"latent": "28", "made": mla.TRAINED}),
        ("class LatentModule", "arXiv 2405.04434"), lambda: [u["entry"].name for u in mla_real.users()],
    ),
    Page(
        "sliding_window", ({"window": "2", "pattern": "local"}, {"window": "64", "pattern": "global"}),
        f"window pattern context real cw-pick-model {PROMPT}", {}, sliding_window.users(), RECALL,
        bad(("window", "99"), ("window", "abc"), ("pattern", "x"), ("context", "12")),
        ("class AttentionModule", "class Window"), lambda: [model_name(key) for key in sliding_window.users()],
    ),
    Page(
        "moe", ({"experts": "8"}, {"experts": "16"}),
        f"experts balance top_k shared gate cells flow batch real cw-pick-preset {PROMPT}",
        {"gate": {}, "shared": {"balance": "bias"}}, tuple(moe.mixture_names())[:3], ROUTING,
        (*bad(("experts", "99"), ("balance", "x"), ("top_k", "7"), ("batch", "-1")), {"experts": "8", "top_k": "3"},
         {"gate": "sigmoid", "shared": "true"}),
        ("class MoEModule",), lambda: [r.name for r in moe.users()], stated=False,
    ),
    Page(
        "rwkv", ({"removal": "0.0"}, {"removal": "1.0"}),
        f"removal layer cw-pick-strength game cw-pick-game cw-surprise-game {PROMPT}", {},
        ("gpt2-xl", "gemma3-1b", "llama3.2-1b"), RECALL, bad(("removal", "2"), ("removal", "x"), ("game", "left " * 400)),
        ("class Rwkv7Module", "arXiv 2503.14456"), lambda: [u.entry.name for u in rwkv.users()], stated=False,
    ),
    Page(
        "xlstm", ({"forget": "-16", "cell": "LSTM"}, {"forget": "4", "cell": "sLSTM"}),
        f"forget cell keys heads layer cw-pick-bias {PROMPT}", {}, ("gpt2-xl", "gemma3-1b", "llama3-8b"), RECALL,
        bad(("forget", "99"), ("forget", "x"), ("cell", "GRU"), ("keys", "5"), ("heads", "7")),
        ("class MLstmModule", "arXiv 2503.13427"), lambda: [u.entry.name for u in xlstm.users()], stated=False,
    ),
    Page(
        "gated_deltanet", ({"write": "0"}, {"write": "1", "decay": "0.5", "mix": "3:1", "rule": "Kimi (KDA)"}),
        f"write decay mix rule keys matrix real cw-pick-model {PROMPT}", {}, gated_deltanet.users(), RECALL,
        bad(("write", "2"), ("decay", "0"), ("mix", "x"), ("rule", "x"), ("keys", "5"), ("matrix", "layer 9, head 9")),
        ("class GatedDeltaModule", "def scan"), lambda: [model_name(key) for key in gated_deltanet.users()], fewest=3,
    ),
    Page(
        "mixers", ({"pairs": "4"}, {"pairs": "24", "mixers": "all"}), f"pairs mixers cw-pick-facts {PROMPT}", {}, (), RECALL,
        bad(("pairs", "5"), ("pairs", "x"), ("mixers", "x")), ("class AttentionModule", "class GatedDeltaModule"),
        lambda: [r.name for r in mixers.real_models()], stated=False,
    ),
    Page(
        "sparse_attention", ({"top_k": "1"}, {"top_k": "128"}), f"top_k real context cw-pick-model {PROMPT}", {},
        sparse_attention.users(), RECALL, bad(("top_k", "3"), ("top_k", "x"), ("context", "12")),
        ("class IndexedModule", "arXiv 2512.02556"),
        lambda: [model_name(key) for key in (*sparse_attention.users(), *dict(sparse_attention.others()))],
        stated=False,
    ),
    Page(
        "mamba", ({"state": "4"}, {"state": "32"}), f"state share layer real context cw-pick-model {PROMPT}",
        {"layer": {"share": mamba.HYBRID}}, mamba.hybrids()[:3], RECALL,
        (*bad(("state", "5"), ("state", "x"), ("share", "2 of 4"), ("context", "12")), {"state": "32", "layer": "4"}),
        ("class Mamba2Module", "arXiv 2405.21060"), lambda: [model_name(key) for key in mamba.users()], stated=False,
    ),
    Page(
        "liquid", ({"attention": "none"}, {"attention": "last"}), f"attention gates real context cw-pick-model {PROMPT}", {},
        liquid.users(), RECALL, bad(("attention", "fifth"), ("context", "12")), ("class GatedConvModule", "arXiv 2511.23404"),
        lambda: [model_name(key) for key in (*liquid.users(), *liquid.others())], stated=False,
    ),
    Page(
        "recursive", ({"steps": "1"}, {"steps": "16", "puzzle": "maze"}),
        "steps puzzle cw-pick-steps solver inner rounds all board cw-pick-board cw-surprise-board",
        {"large": {"puzzle": "9x9"}, "small": {"puzzle": "4x4"}, "maze": {"puzzle": "maze"}}, (), (),
        bad(("steps", "3"), ("steps", "x"), ("puzzle", "8x8"), ("solver", "x"), ("inner", "99"), ("rounds", "0"),
            ("board", "x" * 5000), ("board", "<script>"), ("board", "")),
        ("def solve", "arXiv 2510.04871"), lambda: [entry.name for entry, *_ in recursive.users()], fewest=2,
    ),
    Page(
        "text_diffusion", ({"steps": "1", "order": "any order"}, {"steps": "48", "order": "any, and take back"}),
        f"steps order block temperature seed pair cw-pick-sampler {PROMPT}", {}, text_cost.denoisers(), GAPS,
        bad(("steps", "3"), ("steps", "x"), ("order", "x"), ("block", "5"), ("temperature", "9"), ("seed", "99"), ("pair", "x")),
        ("def denoise", "arXiv 2502.09992"), lambda: [model_name(key) for key in text_cost.denoisers()], fewest=2,
    ),
    Page(
        "code_world_model", ({"at": "0"}, {"at": "9", "reads": "true history"}),
        "at reads program cw-program-text cw-surprise-program cw-pick-programs", {}, (), (),
        bad(("at", "99"), ("at", "x"), ("program", "x"), ("reads", "x"), ("s", "x")), ("def imagined", "arXiv 2510.02387"),
        lambda: [u.entry.name for u in code_world_evidence.users(str)], stated=False,
    ),
)  # fmt: skip
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def each(what: str):
    """A test for each item of a field of each page."""
    return pytest.mark.parametrize(
        "page, given", [pytest.param(p, item, id=f"{p.name}-{i}") for p in PAGES for i, item in enumerate(getattr(p, what))]
    )


@pytest.mark.parametrize("section", SECTIONS)
@each("ends")
def test_every_section_opens_at_both_ends_of_the_controls(page, given, section):
    at = opened(page.name, section=section, **given)
    assert at.segmented_control(key="section").value == section
    assert {key: str(drawn(at)[key].value) for key in given} == given


@pytest.mark.parametrize("section", SECTIONS)
@every_page
def test_every_control_moves_in_every_section(page, section):
    done, wanted = set(FRAME), set(page.controls.split())
    real = page.real if section in ("See", "Count") else (*page.real[:1], *page.real[-1:])  # elsewhere nothing is counted of them
    for query in ({}, *page.shy.values()):
        at = opened(page.name, section=section, **query)
        while left := [key for key in drawn(at) if key not in done]:
            moved(at, left[0], real if left[0] == "real" else None)
            done.add(left[0])
    if section == "See":
        assert done - FRAME >= wanted


@each("prompts")
def test_a_prompt_that_cannot_be_read_is_answered_in_words(page, given):
    prompt, words = given
    shown = text(opened(page.name, prompt=prompt))
    assert all(word in shown for word in words)
    assert "<script>" not in shown and "Traceback" not in shown


@pytest.mark.parametrize(
    "page, query",
    [pytest.param(p, q, id=f"{p.name}-{i}") for p in PAGES for i, q in enumerate((*LINKS, *p.nonsense))],
)
def test_nonsense_in_a_link_shows_the_page(page, query):
    at = opened(page.name, **query)
    key = next(iter(page.ends[0]))
    assert str(at.select_slider(key=key).value) in at.select_slider(key=key).options


@every_page
def test_claims_and_printed_numbers_stand_with_their_verdicts_and_sources(page):
    shown, tables = text(opened(page.name, section="Prove")), evidence.published(page.name)
    for claim in evidence.report(page.name)["claims"]:
        assert claim["claim"] in shown and f">{claim['verdict']}</span>" in shown
    assert tables
    for table in tables:
        assert table["paper"] in shown and table["table"] in shown
        assert all(f">{cell}</td>" in shown for row in table["rows"] for cell in row)


@every_page
def test_the_source_that_ran_is_shown(page):
    shown = text(opened(page.name, section="Read"))
    assert "Glossary" in shown and all(words in shown for words in page.source)


@every_page
def test_users_are_the_catalogue(page):
    shown, names = text(opened(page.name, section="Who uses it")), page.users()
    assert len(names) >= page.fewest and all(f">{name}<" in shown for name in names)
    assert "not stated" not in shown or not page.stated
