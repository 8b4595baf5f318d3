"""The house rules that a reader relies on: who imports whom, no pickle, glossaries, sizes."""

import ast
import importlib
from types import ModuleType

import pytest

from core.paths import ROOT

pytestmark = pytest.mark.fast

FILES = sorted(p for folder in ("core", "app", "pages") for p in (ROOT / folder).rglob("*.py"))
MECHANISMS = sorted(
    p for folder in ("mixers", "ffn") for p in (ROOT / "core" / "model" / folder).glob("*.py") if p.stem != "__init__"
)


def imports(path):
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def relative(path):
    return str(path.relative_to(ROOT))


# The rooms of core, lowest first: a room imports those before it, never one beside it or above it.
FLOORS = (
    ("errors", "lookalike", "paths", "units"), ("model",), ("count",), ("real", "shape"), ("train",), ("lessons",), ("__main__",),
)  # fmt: skip
REFERENCE = "core/real/reference"
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path) -> str:
    """The room of core that a file stands in; a loose file is a room by itself."""
    return path.relative_to(ROOT / "core").with_suffix("").parts[0]


@pytest.mark.parametrize("path", [p for p in FILES if "core" in p.parts and p != ROOT / "core/__init__.py"], ids=relative)
def test_rooms_import_one_way(path):
    """Every file of core stands in a room of the list, and imports only its own room and those on lower floors."""
    own = room_of(path)
    for other in {name.split(".")[1] for name in imports(path) if name.startswith("core.")}:
        assert other == own or ROOMS[other] < ROOMS[own], f"{relative(path)} imports core.{other}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_direction_of_imports(path):
    allowed = {"core": ("core",), "app": ("core", "app"), "pages": ("core", "app")}[path.relative_to(ROOT).parts[0]]
    ours = {name.split(".")[0] for name in imports(path)} & {"core", "app", "pages", "tests"}
    assert ours <= set(allowed)


DRAWING = [p for p in FILES if p.parent == ROOT / "app" / "figures"]
SUMMARY = "core.train.rules.summary"  # mean and deviation come from the one place that decides claims


@pytest.mark.parametrize("path", DRAWING, ids=relative)
def test_figures_fetch_no_data(path):
    """They are handed what they draw: of lessons, training and the catalogue they know types and constants, no function."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, (ast.Import, ast.ImportFrom))]
    for module, name in ((getattr(n, "module", ""), alias.name) for n in nodes for alias in n.names):
        full = f"{module}.{name}".lstrip(".")
        if full.startswith(("core.lessons", "core.train", "core.real")) and full != SUMMARY:
            assert module, f"import {name}"
            known = getattr(importlib.import_module(module), name, None)  # a module that is not loaded yet is no attribute
            assert isinstance(known, type) or (known is not None and not callable(known) and not isinstance(known, ModuleType)), (
                full
            )


@pytest.mark.parametrize("path", [p for p in FILES if "core" in p.parts], ids=relative)
def test_core_knows_nothing_of_the_screen(path):
    """Nor of the tests; transformers is imported in the process of its own alone that counts with it."""
    banned = {"streamlit", "plotly", "transformers", "pytest"}
    banned -= {"transformers"} if relative(path) == f"{REFERENCE}/worker.py" else set()
    assert not {name.split(".")[0] for name in imports(path)} & banned


@pytest.mark.parametrize("path", MECHANISMS, ids=relative)
def test_a_mechanism_imports_only_blocks(path):
    ours = {name.removeprefix("core.model.").split(".")[0] for name in imports(path) if name.startswith("core.model.")}
    made_of = {"sparse": "mixers", "borrowed": "mixers", "unified": "mixers", "beside": "ffn", "hashed": "ffn"}
    bases = {made_of[path.stem]} if path.stem in made_of else set()
    assert ours <= {"blocks", "part", "rope", "scan", "trace"} | bases
    assert room_of(path) == "model"  # the direction of imports bars the rest


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nothing_is_unpickled_or_executed(path):
    """Nor is another program started, but this one itself, where it counts with transformers."""
    banned = {"pickle", "shelve", "marshal", "dill", "joblib", "cloudpickle", "subprocess"}
    banned -= {"subprocess"} if relative(path) == f"{REFERENCE}/count.py" else set()
    assert not {name.split(".")[0] for name in imports(path)} & banned
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
            assert node.attr not in ("load", "save")


@pytest.mark.parametrize("path", MECHANISMS, ids=relative)
def test_a_mechanism_opens_with_a_glossary(path):
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert "Glossary" in text and "arXiv" in text and "Simplified:" in text


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_every_module_and_public_function_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, "module"
    protocol = {
        n
        for c in tree.body
        if isinstance(c, ast.ClassDef) and any("Protocol" in ast.dump(b) for b in c.bases)
        for n in ast.walk(c)
    }
    for owner in [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef))]:
        for node in owner.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and node not in protocol:
                overrides = isinstance(owner, ast.ClassDef) and owner.bases
                assert ast.get_docstring(node) or overrides, f"{relative(path)}: {node.name}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{relative(path)}: {node.name}"


# Questions about the class of a part stand in core/model: what is asked elsewhere is a method of the part


def part_classes() -> set[str]:
    """Names of all descriptions of mixers and feed-forward parts, found by the base classes that they name."""
    names, defined = {"Part"}, [n for p in MODEL for n in ast.parse(p.read_text()).body if isinstance(n, ast.ClassDef)]
    while more := {c.name for c in defined if {b.id for b in c.bases if isinstance(b, ast.Name)} & names} - names:
        names |= more
    return names


MODEL = sorted((ROOT / "core" / "model").rglob("*.py"))
CLASS_QUESTIONS = 12  # may only fall


def class_questions(path, classes: set[str]) -> list[str]:
    """isinstance with a part's class, its type compared, and dicts with a part's class for a key."""

    def about(node) -> bool:
        return any(isinstance(n, ast.Name) and n.id in classes for n in ast.walk(node))

    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")
        typed = isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type(") and any(map(about, node.comparators))
        keyed = isinstance(node, ast.Dict) and any(key and about(key) for key in node.keys)
        if (called and about(node.args[1])) or typed or keyed:
            found.append(f"{relative(path)}:{node.lineno}: {ast.unparse(node)[:60]}")
    return found


def test_few_ask_for_the_class_of_a_part():
    classes = part_classes()
    assert {"Attention", "Indexed", "Lstm", "MoE", "ChannelMix"} <= classes
    asked = [line for path in FILES if path not in MODEL for line in class_questions(path, classes)]
    assert len(asked) <= CLASS_QUESTIONS, "\n".join(["a question that should be a method of the part:", *asked])
    assert len(asked) == CLASS_QUESTIONS, f"fewer than before: CLASS_QUESTIONS is {len(asked)} now"


# Names that many modules of core define because all of them answer the same question: what a kind of file must have.
PROTOCOLS = {
    "a family of released models": "FAMILY DEFAULTS read table disk experts ffns stack mixer turned latent mamba HOW",
    "a task": "TASK NAMES WORDS INDEX VOCABULARY KINDS PLACES MAX_CHARACTERS training_batch evaluate loss parse surprise",
    "a recipe": "MECHANISM measure "
    "RECIPES CLAIMS HEADS HEAD WIDTH DEPTH STEPS PAIRS KEYS WINDOW HIDDEN LONG SOLVED GROUPS METRIC LOSS",
    "a page's lesson": "EXAMPLES variant variant_label presets scene Scene watch formula Formula real_model real_models "
    "RealModel RUNS learning users",
}
# The same for app and pages; figures have a test of their own kinds.
PAGE_PROTOCOLS = {
    "a page": "ANSWER CORRECTION QUESTION SECTIONS Choice choose see count users page",
    "its controls": "EXAMPLES PROMPT PRESETS REAL MODEL LAYER HUES presets",
    "its parts": "picture side memory growth ours theirs formula real_models recalled learned",
    "what goes into an exported file": "about",
    "a piece that pages show": "show",
}
# Names that still mean several things. This list may only get shorter: a new name says what it is.
SHARED = set("EVERY FULL HYBRID Layer Part counted grouped inside plain".split())


def defined(path):
    """Names that a file defines at its top level."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        for target in getattr(node, "targets", [node.target] if isinstance(node, ast.AnnAssign) else []):
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_name_is_one_of_the_worst(path):
    """Past participles that once meant seven things each; CONTRIBUTING.md says what stands in their place."""
    worst = set("said kept taken told held shown found given apart spelled real first".split())
    assert not worst & set(defined(path))


@pytest.mark.parametrize(
    "patterns, protocols, shared",
    [(("core/**/*.py",), PROTOCOLS, SHARED), (("app/*.py", "pages/*.py"), PAGE_PROTOCOLS, set())],
    ids=["core", "pages"],
)
def test_a_name_means_one_thing(patterns, protocols, shared):
    """No more than three modules define a name, but for what a kind of file must have."""
    modules: dict[str, set] = {}
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        for name in defined(path):
            modules.setdefault(name, set()).add(relative(path))
    expected = set(" ".join(protocols.values()).split())
    many = {name: sorted(files) for name, files in modules.items() if len(files) > 3}
    assert {name: files for name, files in many.items() if name not in expected | shared} == {}
    assert expected <= set(modules) and not expected & shared
