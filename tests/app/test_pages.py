"""What every page must do, without a browser: a new page joins with one line in PAGES.

Every section opens at both ends of the first slider, every control moves in every section, a preset sets what it says, a link
shows the page that it was made from, nonsense in a link shows the page and nonsense in the prompt gives a sentence, claims,
printed numbers, source and models stand where they belong. What is particular stands in test_<page>_page.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

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
from tests.app.opening import drawn, elements, ends, every, linked, moved, opened, text

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")


@dataclass(frozen=True)
class Page:
    """What is expected of one page; what is empty is not asked of it."""

    name: str
    ends: tuple[dict[str, str], ...]  # links with both ends of its controls
    controls: str  # all of them, in the first section
    shy: dict[str, dict[str, str]]  # controls that only some links show
    real: tuple[str, ...]  # keys of the real models that are picked from the list
    preset: tuple[str, dict[str, str]]  # its label, and what a link says then
    links: tuple[str, ...]  # states that a link takes to another reader
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
        {"layer": {"model": gqa.INDUCTION}}, tuple(gqa.dividing(1)[:3]),
        ("Multi-query: 1", {"kv_heads": "1"}),
        ("kv_heads=1", "kv_heads=4&positions=rope&head=5", "kv_heads=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=2&step=5"),
        RECALL,
        bad(("kv_heads", "99"), ("kv_heads", "abc"), ("model", "x"), ("positions", "x")),
        ("class AttentionModule", "arXiv 2305.13245"), lambda: [u["entry"].name for u in gqa.users()],
    ),
    Page(
        "mla", ({"latent": "1"}, {"latent": str(mla.FULL)}), f"latent rope_key form made task cw-pick-shape {PROMPT}",
        {"made": {"latent": "12"}}, tuple(mla_real.keys()),
        (next(iter(mla_real.presets())), {"latent": str(next(iter(mla_real.presets().values()))["latent"])}),
        ("latent=6", "latent=12&made=trained+at+this+size&form=expanded", "latent=20&rope_key=false&head=3&row=5"),
        RECALL,
        (*bad(("latent", "99"), ("latent", "x"), ("rope_key", "maybe"), ("form", "x"), ("made", "x"), ("task", "x")),
         {"latent": "28", "made": mla.TRAINED}),
        ("class LatentModule", "arXiv 2405.04434"), lambda: [u["entry"].name for u in mla_real.users()],
    ),
    Page(
        "sliding_window", ({"window": "2", "pattern": "local"}, {"window": "64", "pattern": "global"}),
        f"window pattern context real cw-pick-model {PROMPT}", {}, sliding_window.users(),
        ("Mistral 7B v0.1", {"pattern": "local", "real": model_name("mistral-7b-v0.1")}),
        ("window=4&pattern=1:1", "pattern=local&row=10&step=20", "window=32&prompt=zoe+wheel+leo+plum+%3F+leo"),
        RECALL,
        bad(("window", "99"), ("window", "abc"), ("pattern", "x"), ("context", "12")),
        ("class AttentionModule", "class Window"), lambda: [model_name(key) for key in sliding_window.users()],
    ),
    Page(
        "moe", ({"experts": "8"}, {"experts": "16"}),
        f"experts balance top_k shared gate cells flow batch real cw-pick-preset {PROMPT}",
        {"gate": {}, "shared": {"balance": "bias"}}, tuple(moe.mixture_names())[:3],
        ("Mixtral", {"real": "Mixtral 8x7B", "experts": "8"}),
        ("balance=none&row=3", "experts=8&top_k=2&cells=affinities", "gate=sigmoid&balance=bias&shared=true&batch=8"),
        ROUTING,
        (*bad(("experts", "99"), ("balance", "x"), ("top_k", "7"), ("batch", "-1")), {"experts": "8", "top_k": "3"},
         {"gate": "sigmoid", "shared": "true"}),
        ("class MoEModule",), lambda: [r.name for r in moe.users()], stated=False,
    ),
    Page(
        "rwkv", ({"removal": "0.0"}, {"removal": "1.0"}),
        f"removal layer cw-pick-strength game cw-pick-game cw-surprise-game {PROMPT}", {},
        ("gpt2-xl", "gemma3-1b", "llama3.2-1b"),
        ("Decay alone", {"removal": "0.0"}),
        ("removal=0.25&layer=2", "removal=0.5&head=2&step=6", "game=left+left-middle+wait&prompt=zoe+wheel+leo+plum+%3F+leo"),
        RECALL, bad(("removal", "2"), ("removal", "x"), ("game", "left " * 400)),
        ("class Rwkv7Module", "arXiv 2503.14456"), lambda: [u.entry.name for u in rwkv.users()], stated=False,
    ),
    Page(
        "xlstm", ({"forget": "-16", "cell": "LSTM"}, {"forget": "4", "cell": "sLSTM"}),
        f"forget cell keys heads layer cw-pick-bias {PROMPT}", {}, ("gpt2-xl", "gemma3-1b", "llama3-8b"),
        ("Forgetful", {"forget": "-8"}),
        ("forget=-2&cell=sLSTM", "keys=8&step=6&layer=1", "forget=4&cell=LSTM&heads=16&prompt=zoe+wheel+leo+plum+%3F+leo"),
        RECALL,
        bad(("forget", "99"), ("forget", "x"), ("cell", "GRU"), ("keys", "5"), ("heads", "7")),
        ("class MLstmModule", "arXiv 2503.13427"), lambda: [u.entry.name for u in xlstm.users()], stated=False,
    ),
    Page(
        "gated_deltanet", ({"write": "0"}, {"write": "1", "decay": "0.5", "mix": "3:1", "rule": "Kimi (KDA)"}),
        f"write decay mix rule keys matrix real cw-pick-model {PROMPT}", {}, gated_deltanet.users(),
        ("Kimi Linear 3:1", {"mix": "3:1", "rule": "Kimi (KDA)", "real": "Kimi Linear 48B-A3B"}),
        ("write=0.5&decay=0.9", "mix=3:1&step=7", "keys=8&matrix=layer+1%2C+head+1&prompt=zoe+wheel+leo+plum+%3F+leo"),
        RECALL,
        bad(("write", "2"), ("decay", "0"), ("mix", "x"), ("rule", "x"), ("keys", "5"), ("matrix", "layer 9, head 9")),
        ("class GatedDeltaModule", "def scan"), lambda: [model_name(key) for key in gated_deltanet.users()], fewest=3,
    ),
    Page(
        "mixers", ({"pairs": "4"}, {"pairs": "24", "mixers": "all"}), f"pairs mixers cw-pick-facts {PROMPT}", {}, (),
        ("All they learned", {"pairs": "24", "mixers": "alone"}),
        ("pairs=4", "pairs=20&head=3&step=9", "pairs=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=3"),
        RECALL,
        bad(("pairs", "5"), ("pairs", "x"), ("mixers", "x")), ("class AttentionModule", "class GatedDeltaModule"),
        lambda: [r.name for r in mixers.real_models()], stated=False,
    ),
    Page(
        "sparse_attention", ({"top_k": "1"}, {"top_k": "128"}), f"top_k real context cw-pick-model {PROMPT}", {},
        sparse_attention.users(),
        ("GLM-5: 2,048 of 128k", {"real": "GLM-5", "context": "128k", "top_k": "1"}),
        ("top_k=2", "top_k=8&head=5&row=12&context=4k", "top_k=1&prompt=zoe+wheel+leo+plum+%3F+leo&step=5"),
        RECALL, bad(("top_k", "3"), ("top_k", "x"), ("context", "12")),
        ("class IndexedModule", "arXiv 2512.02556"),
        lambda: [model_name(key) for key in (*sparse_attention.users(), *dict(sparse_attention.others()))],
        stated=False,
    ),
    Page(
        "mamba", ({"state": "4"}, {"state": "32"}), f"state share layer real context cw-pick-model {PROMPT}",
        {"layer": {"share": mamba.HYBRID}}, mamba.hybrids()[:3],
        ("Nemotron-H", {"share": "1 of 4", "real": "Nemotron-H 8B"}),
        ("state=4", "state=32&layer=1&head=6&row=9", "share=1+of+4&layer=2&prompt=zoe+wheel+leo+plum+%3F+leo"),
        RECALL,
        (*bad(("state", "5"), ("state", "x"), ("share", "2 of 4"), ("context", "12")), {"state": "32", "layer": "4"}),
        ("class Mamba2Module", "arXiv 2405.21060"), lambda: [model_name(key) for key in mamba.users()], stated=False,
    ),
    Page(
        "liquid", ({"attention": "none"}, {"attention": "last"}), f"attention gates real context cw-pick-model {PROMPT}", {},
        liquid.users(),
        ("LFM2 1.2B", {"attention": "third", "real": "LFM2 1.2B"}),
        ("attention=none", "attention=second&head=1&row=12", "attention=first&prompt=zoe+wheel+leo+plum+%3F+leo&step=5"),
        RECALL, bad(("attention", "fifth"), ("context", "12")), ("class GatedConvModule", "arXiv 2511.23404"),
        lambda: [model_name(key) for key in (*liquid.users(), *liquid.others())], stated=False,
    ),
    Page(
        "recursive", ({"steps": "1"}, {"steps": "16", "puzzle": "maze"}),
        "steps puzzle cw-pick-steps solver inner rounds all board cw-pick-board cw-surprise-board",
        {"large": {"puzzle": "9x9"}, "small": {"puzzle": "4x4"}, "maze": {"puzzle": "maze"}}, (),
        ("One step", {"steps": "1"}),
        ("steps=4&step=6", "puzzle=maze&steps=2&step=1", "steps=16&solver=HRM&board=3...14+6...52+2..1.5+.1....+..5..3+46...."),
        (),
        bad(("steps", "3"), ("steps", "x"), ("puzzle", "8x8"), ("solver", "x"), ("inner", "99"), ("rounds", "0"),
            ("board", "x" * 5000), ("board", "<script>"), ("board", "")),
        ("def solve", "arXiv 2510.04871"), lambda: [entry.name for entry, *_ in recursive.users()], fewest=2,
    ),
    Page(
        "text_diffusion", ({"steps": "1", "order": "any order"}, {"steps": "48", "order": "any, and take back"}),
        f"steps order block temperature seed pair cw-pick-sampler {PROMPT}", {}, text_cost.denoisers(),
        ("All at once", {"steps": "1"}),
        ("steps=4&seed=3", "order=any+order&step=2&block=6", "steps=12&prompt=today+_+who+_+the+potters+shapes+small+_"),
        GAPS,
        bad(("steps", "3"), ("steps", "x"), ("order", "x"), ("block", "5"), ("temperature", "9"), ("seed", "99"), ("pair", "x")),
        ("def denoise", "arXiv 2502.09992"), lambda: [model_name(key) for key in text_cost.denoisers()], fewest=2,
    ),
    Page(
        "code_world_model", ({"at": "0"}, {"at": "9", "reads": "true history"}),
        "at reads program cw-program-text cw-surprise-program cw-pick-programs", {}, (),
        ("While", {"program": "while"}),
        ("at=3&reads=true+history", "program=while&at=5",
         "at=2&s=.ePkAaABFU8pTsFUwisnLBlJ5CtoKxjF55RmZOalAjo2CmVVMngIQ5EEl4ep0FbKVAL4hDrU"),
        (),
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
    """To all of its values in the first section, in the others to both ends and one in the middle; two sections count models."""
    done, wanted = set(FRAME), set(page.controls.split())
    pick, real = every if section == "See" else ends, page.real if section in ("See", "Count") else ends(page.real)
    for query in ({}, *page.shy.values()):
        at = opened(page.name, section=section, **query)
        while left := [key for key in drawn(at) if key not in done]:
            moved(at, left[0], real if left[0] == "real" else None, pick)
            done.add(left[0])
    if section == "See":
        assert done - FRAME >= wanted


@every_page
def test_a_preset_sets_what_it_says(page):
    (label, wanted), at = page.preset, opened(page.name)
    row = next(key for key, control in drawn(at).items() if label in getattr(control, "options", ()) and key not in wanted)
    moved(at, row, (label,))
    assert wanted.items() <= linked(at).items()


@each("links")
def test_a_link_shows_the_page_that_it_was_made_from(page, given):
    asked = dict(parse_qsl(given))
    first = opened(page.name, **asked)
    link = linked(first)
    assert len(asked.items() & link.items()) == len(asked.keys() & link.keys()) > 0
    assert elements(opened(page.name, **link)) == elements(first)


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
