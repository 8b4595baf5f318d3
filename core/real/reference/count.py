"""A config of a family that we do not read -> its counts, by the class that transformers has for it.

    count(config)  -> Reference: parameters, modules, and what each layer remembers, as numbers
    SpecError      -> one sentence: no class, a class that refuses the config, too long, too large

The class is built without weights in a process of its own (`core.real.reference.worker`), which has a limit of memory and is
ended when an answer takes too long. It is started for the first config and ends by itself when nobody asks. One config is
counted at a time; answers are remembered.
"""

import atexit
import contextlib
import json
import re
import select
import subprocess
import sys
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path

from core.errors import SpecError
from core.paths import ROOT
from core.real.hf.fields import HARMLESS

START_SECONDS = 90  # until transformers is imported, on a machine that does other things as well
ANSWER_SECONDS = 30  # for one config, which the process itself ends after fewer of its own
MOST_LAYERS = 1024  # beyond this no released model goes, and building one would not end in time
LAYER_FIELDS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
REMEMBERED = 64  # answers
LONGEST_ANSWER = 4 << 20  # bytes
QUOTED = re.compile(r'"([\w.-]+)"')


@dataclass(frozen=True)
class LayerMemory:
    """What one layer remembers of a text, as the class keeps it: elements for every token, of the last `window` tokens where that
    is not 0, and elements that do not grow."""

    token: int
    state: int
    window: int = 0

    @property
    def kind(self) -> str:
        """What it remembers, in the words of other counts."""
        own = "sliding" if self.window else "full"
        return "+".join([own] * bool(self.token) + ["state"] * bool(self.state)) or "none"

    def elements(self, context: int) -> int:
        """Elements after a text of `context` tokens."""
        return self.token * (min(context, self.window) if self.window else context) + self.state


@dataclass(frozen=True)
class Module:
    """A module of the class: its parameters include those inside it; `times` equal ones stand beside each other."""

    name: str
    kind: str
    parameters: int
    times: int
    inside: tuple["Module", ...] = ()


@dataclass(frozen=True)
class Reference:
    """What the class says.

    kind        its name in transformers
    version     of transformers
    parameters  of the language model, tied ones once
    whole       of all that the class builds, with what sees or hears
    active      parameters that one token passes through; None where the config does not say how many experts are chosen
    context     the longest context that the config states; None where it does not
    layers      what each layer remembers; None where it is not derived
    modules     the tree of modules
    strange     fields of the config that the class does not know; those of configs inside by their path
    """

    kind: str
    version: str
    model_type: str
    parameters: int
    whole: int
    active: int | None
    context: int | None
    vocabulary: int | None
    modules: Module
    layers: tuple[LayerMemory, ...] | None = field(repr=False)
    strange: tuple[str, ...] = ()

    def cache_elements(self, context: int) -> int | None:
        """Elements of keys and values, or of what stands in their place, after `context` tokens; None where not derived."""
        return None if self.layers is None else sum(layer.elements(context) - layer.state for layer in self.layers)

    @property
    def layers_by_kind(self) -> dict[str, int]:
        """How many layers remember everything, a window, a state, or nothing; none where not derived."""
        return dict(Counter(layer.kind for layer in self.layers or ()))

    @property
    def state_elements(self) -> int | None:
        """Elements of state that does not grow with the text; None where not derived."""
        return None if self.layers is None else sum(layer.state for layer in self.layers)


class Worker:
    """The process that counts. It is used by one request at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen | None = None

    def ask(self, request: dict) -> dict:
        """The answer to a request. SpecError where it takes too long or the process ends."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self.start()
            process = self.process
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            line = self.line(ANSWER_SECONDS)
            if line is None:
                self.stop()
                raise SpecError(
                    f"building this model with its class in transformers took longer than {ANSWER_SECONDS} seconds, or more "
                    "memory than is allowed"
                )
            return json.loads(line)

    def start(self) -> None:
        """A new process, once transformers is imported there."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.real.reference.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self.line(START_SECONDS) is None:
            self.stop()
            raise SpecError(f"transformers could not be started within {START_SECONDS} seconds")

    def line(self, seconds: float) -> bytes | None:
        """The next line that the process writes; None where it ends, writes too much or takes too long."""
        end, out, text = time.monotonic() + seconds, self.process.stdout, b""
        while not text.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                return None
            piece = out.read1(1 << 16)
            text += piece
            if not piece or len(text) > LONGEST_ANSWER:
                return None
        return text

    def stop(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process = None


WORKER = Worker()
atexit.register(WORKER.stop)
ANSWERS: OrderedDict[str, dict] = OrderedDict()


@lru_cache(maxsize=1)
def families() -> frozenset[str]:
    """What may be a `model_type` of the installed transformers; none where it is not installed. Nothing of it is imported."""
    spec = util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return frozenset()
    lists = (Path(spec.origin).parent / "models" / "auto" / f"{name}.py" for name in ("auto_mappings", "configuration_auto"))
    return frozenset(name for path in lists if path.exists() for name in QUOTED.findall(path.read_text()))


def is_known(config: dict) -> bool:
    """May the installed transformers have a class for this config?"""
    return config.get("model_type") in families() if isinstance(config.get("model_type"), str) else False


def count(config: dict) -> Reference:
    """What the class of transformers says of a config (shapes of weights before any quantisation). SpecError says in one sentence
    why there is no answer."""
    if not families():
        raise SpecError("the package transformers, which counts families that are not read here, is not installed")
    if not is_known(config):
        raise SpecError(f"transformers {metadata.version('transformers')} has no class for this model_type")
    check_layers(config)
    key = json.dumps(config, sort_keys=True)
    if key not in ANSWERS:
        ANSWERS[key] = WORKER.ask({"config": config})
        while len(ANSWERS) > REMEMBERED:
            ANSWERS.popitem(last=False)
    answer = ANSWERS[key]
    if "refused" in answer:
        raise SpecError(answer["refused"])
    return referenced(answer)


def check_layers(config: dict, where: str = "") -> None:
    """SpecError where a config, or one inside it, asks for more layers than any released model has."""
    for name, value in config.items():
        if isinstance(value, dict):
            check_layers(value, f"{where}{name}.")
        elif name in LAYER_FIELDS and isinstance(value, (int, float)) and value > MOST_LAYERS:
            raise SpecError(f"{where}{name} must be at most {MOST_LAYERS:,}, not {value:,}")


def referenced(answer: dict) -> Reference:
    """The answer of the process as an object."""
    return Reference(
        kind=answer["class"],
        version=answer["version"],
        model_type=answer["model_type"],
        parameters=answer["parameters"],
        whole=answer["whole"],
        active=answer["active"],
        context=answer["context"],
        vocabulary=answer["vocabulary"],
        modules=module_of(answer["modules"]),
        layers=None if answer["cache"] is None else tuple(LayerMemory(**layer) for layer in answer["cache"]),
        strange=tuple(name for name in answer["strange"] if name.rpartition(".")[2] not in HARMLESS),
    )


def module_of(node: dict) -> Module:
    """A node of the tree as an object."""
    inside = tuple(module_of(each) for each in node["inside"])
    return Module(node["name"], node["class"], node["parameters"], node["times"], inside)
