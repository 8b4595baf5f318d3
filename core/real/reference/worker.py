"""The process in which transformers builds a model without weights and counts it: one request a line in, one answer a line out.

    {"config": {...}}  ->  {"class": "GraniteForCausalLM", "parameters": ..., "modules": {...}, "cache": [...], ...}
                       or  {"refused": "a sentence"}

Everything is built on torch's meta device, where a tensor has a shape and no numbers: a model of a trillion parameters takes no
memory. What cannot be bounded beforehand (how many modules a config asks for) is bounded by the limits of this process, set
below, and by the time that `core.real.reference.count` waits for an answer. Nothing is fetched, no code that a config names is
run, and a config's own choice of kernels is ignored. It imports nothing of Cutaway.
"""

import contextlib
import dataclasses
import inspect
import json
import os
import resource
import select
import signal
import sys

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "critical",
    "USE_HUB_KERNELS": "NO",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
IDLE_SECONDS = 900  # without a request, after which the process ends
CPU_SECONDS = 4  # for building a model, and again for a run of it; one of a hundred layers takes less than two
MOST_BYTES = 12 << 30  # of address space, of which torch and transformers alone map about five
DEEPEST = 7  # levels of the module tree
INNER_FIELDS = ("text_config", "llm_config", "language_config", "thinker_config", "decoder", "decoder_config", "talker_config")
DROPPED = """auto_map attn_implementation experts_implementation quantization_config quantization compression_config
    trust_remote_code use_kernels name_or_path transformers_version torch_dtype dtype""".split()
EXPERT_FIELDS = "num_experts num_local_experts n_routed_experts moe_num_experts num_experts_per_layer".split()
CHOICE_FIELDS = """num_experts_per_tok num_experts_per_token top_k top_k_experts moe_topk moe_top_k moe_k num_selected_experts
    n_experts_per_tok experts_per_token num_activated_experts moe_router_topk""".split()
MEMORY_FIELDS = ("past_key_values", "cache_params", "state", "mems")
TEXTS = (5, 10, 37)  # tokens of the three texts that the model reads: a layer whose cache is no line through them is not derived


class Refused(Exception):
    """A sentence for the reader."""


class OutOfTime(BaseException):  # a class of another library may suppress an Exception
    """More than CPU_SECONDS went by."""


@contextlib.contextmanager
def within(seconds: float):
    """OutOfTime after so many seconds of this process."""

    def stop(*_) -> None:
        raise OutOfTime

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


# From a config to a model


def without_code(config):
    """A config without what chooses code: private fields, kernels, quantisation (shapes are those before it)."""
    if isinstance(config, dict):
        return {k: without_code(v) for k, v in config.items() if not k.startswith("_") and k not in DROPPED}
    return [without_code(v) for v in config] if isinstance(config, list) else config


def config_of(config: dict):
    """The config as an object of its family's class. Refused where transformers has none, or the class refuses it."""
    from transformers import __version__
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        remote = ", and the code of its own that its config names is not run here" if "auto_map" in config else ""
        raise Refused(f"transformers {__version__} has no class for model_type {json.dumps(kind)[:60]}{remote}")
    found = CONFIG_MAPPING[kind].from_dict(without_code(config))
    if hasattr(found, "is_decoder") and not getattr(found, "is_encoder_decoder", False):
        found.is_decoder = True
    return found


def strange(config: dict, found, where: str = "") -> list[str]:
    """Fields that the class of a config does not know, and so does not use; those of configs inside by their path."""
    own = {field.name for field in dataclasses.fields(found)} | set(getattr(found, "attribute_map", ()))
    source = inspect.getsource(type(found))  # some are taken out of what it is given: rope_theta
    result = []
    for name, value in config.items():
        inside = vars(found).get(name)
        if isinstance(value, dict) and hasattr(inside, "model_type"):
            result += strange(value, inside, f"{where}{name}.")
        elif name not in own and not hasattr(type(found), name) and f'"{name}"' not in source and name != "rope_theta":
            result.append(where + name)
    return result


def classes(config) -> list[type]:
    """The classes that could be a language model of this config, the likeliest first."""
    from transformers.models.auto import modeling_auto as auto

    mappings = (
        auto.MODEL_FOR_CAUSAL_LM_MAPPING,
        auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
        auto.MODEL_FOR_MULTIMODAL_LM_MAPPING,
        auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
        auto.MODEL_FOR_MASKED_LM_MAPPING,
    )
    found = [mapping[type(config)] for mapping in mappings if type(config) in mapping]
    return [c for each in found for c in (each if isinstance(each, (list, tuple)) else (each,))]


def inner_config(config):
    """The config of the language model inside a larger one; None where there is none."""
    return next((getattr(config, field) for field in INNER_FIELDS if hasattr(getattr(config, field, None), "model_type")), None)


def built(kind: type, config):
    """A model without weights."""
    import torch

    with torch.device("meta"):
        model = kind._from_config(config, attn_implementation="eager")
    model.tie_weights()
    return model.eval()


def model_of(config):
    """The model of a config: the whole, or its language model alone where the whole cannot be built."""
    attempts = [(kind, config) for kind in classes(config)[:1]]
    if (text := inner_config(config)) is not None:
        attempts += [(kind, text) for kind in classes(text)[:1]]
    failure = f"transformers has no language model for model_type {config.model_type}"
    for kind, each in attempts:
        try:
            return built(kind, each)
        except Exception as error:  # whatever a class of another library raises is its refusal
            failure = f"{kind.__name__} of transformers refuses this config: {error_text(error)}"
    raise Refused(failure)


def error_text(error: Exception) -> str:
    """The last line of an error that says something, at most 160 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or ['no reason given'])[-1]}"[:160]


def language(model, config) -> list:
    """The modules of a model that are its language model: all of it, or decoder and head where it also sees or hears."""
    if inner_config(config) is None:
        return [model]
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    return [model] if decoder is None or decoder is model else [decoder] + [head] * (head is not None)


# Counting


def parameters_of(modules: list) -> int:
    """Parameters of some modules, each once: tied weights are one tensor."""
    return sum({id(p): p.numel() for module in modules for p in module.parameters()}.values())


def sets_of_experts(model) -> list[tuple]:
    """Every set of experts: (the module, how many it holds, their parameters). Either one tensor of all, or a list of modules."""
    from torch import nn

    found = []
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.ModuleList) and name.endswith("experts") and len(module) > 1:
            found.append((module, len(module), sum(p.numel() for p in module.parameters())))
        elif "expert" in type(module).__name__.lower() and any(p.dim() == 3 for p in own):
            count = next(p.shape[0] for p in own if p.dim() == 3)
            found.append((module, count, sum(p.numel() for p in own if p.shape[0] == count)))
    return found


def stated(config, names) -> int | None:
    """The first of these fields that a config states as a number above 0."""
    return next((v for name in names if isinstance(v := getattr(config, name, None), int) and v > 0), None)


def active(model, config, total: int) -> int | None:
    """Parameters that one token passes through: of each set of experts as many as the config chooses; None where it does not
    say."""
    found, many, few = sets_of_experts(model), stated(config, EXPERT_FIELDS), stated(config, CHOICE_FIELDS)
    if not found:
        return None if many and many > 1 else total
    if not few or any(few > count for _, count, _ in found):
        return None
    return total - sum(size // count * (count - few) for _, count, size in found)


def tree(name: str, module, depth: int = DEEPEST) -> dict:
    """A module and what is inside it, equal ones folded: {name, class, parameters, times, inside}."""
    inside: dict[str, dict] = {}
    for child, part in module.named_children() if depth else ():
        node = tree(child, part, depth - 1)
        if not node["parameters"]:
            continue
        key = json.dumps([node["class"], node["parameters"], node["inside"], "" if child.isdigit() else child])
        inside.setdefault(key, {**node, "times": 0})["times"] += 1
    return {
        "name": name,
        "class": type(module).__name__,
        "parameters": sum(p.numel() for p in module.parameters()),
        "times": 1,
        "inside": list(inside.values()),
    }


# What is remembered


def tensors_in(thing, seen: set[int]):
    """Every tensor of numbers that an object of a cache holds, each once."""
    import torch

    if id(thing) in seen or thing is None or isinstance(thing, (str, int, float, type)):
        return
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        if thing.is_floating_point():
            yield thing
        return
    if isinstance(thing, dict):
        thing = list(thing.values())
    for value in thing if isinstance(thing, (list, tuple)) else getattr(thing, "__dict__", {}).values():
        yield from tensors_in(value, seen)


def remembered(model, length: int) -> list[tuple[int, int]]:
    """What each layer holds after a text of so many tokens: (elements, its window or 0)."""
    import torch
    from transformers import masking_utils

    masking_utils.find_packed_sequence_indices = lambda position_ids: (
        None
    )  # one text, not several in one row: it asks for numbers
    ids = torch.zeros(1, length, dtype=torch.long, device="meta")
    with torch.no_grad():
        out = model(input_ids=ids, use_cache=True)
    cache = next((out[name] for name in MEMORY_FIELDS if name in out), None)
    if cache is None:
        return []
    layers = getattr(cache, "layers", None)
    seen: set[int] = set()
    each = [(sum(t.numel() for t in tensors_in(layer, seen)), getattr(layer, "sliding_window", 0) or 0) for layer in layers or ()]
    rest = sum(t.numel() for t in tensors_in(cache, seen))
    return each + [(rest, 0)] * bool(rest)


def without_experts(model, give) -> None:
    """What is remembered does not depend on feed-forward parts. Experts choose by numbers, which meta tensors do not have: each
    set of experts, or the module around a list of them, gives back what it is given."""
    from torch import nn

    parts = dict(model.named_modules())
    names = {id(module): name for name, module in parts.items()}
    for module, _, _ in sets_of_experts(model):
        listed = isinstance(module, nn.ModuleList)
        (parts[names[id(module)].rpartition(".")[0]] if listed else module).forward = give if listed else given_back


def given_back(x, *_, **__):
    """What came in."""
    return x


def with_logits(x, *_, **__):
    """What came in, where scores of the experts are expected beside it."""
    return x, x


def lines(model) -> list[dict] | None:
    """What each layer remembers of a text, as a line: {token, state, window}. None where it is none, or cannot be found out."""
    for give in (given_back, with_logits):
        without_experts(model, give)
        with contextlib.suppress(Exception):  # what a class does with tensors that hold no numbers is its own affair
            return straight(list(zip(*(remembered(model, length) for length in TEXTS), strict=True)))
    return None


def straight(layers: list[tuple]) -> list[dict] | None:
    """Lines through three points each. Of a window of n tokens the class holds n - 1 once it has read more; the next makes n."""
    result = []
    for points in layers:
        window = points[0][1]
        held = [min(length, window - 1) if window else length for length in TEXTS]
        elements = [size for size, _ in points]
        token, left = divmod(elements[1] - elements[0], held[1] - held[0])
        line = {"token": token, "state": elements[0] - token * held[0], "window": window}
        if left or any(size != token * n + line["state"] for size, n in zip(elements, held, strict=True)):
            return None
        result.append(line)
    return result


def counts_of(config: dict) -> tuple[dict, object]:
    """The answer to a config but for what is remembered, and the model."""
    from transformers import __version__

    found = config_of(config)
    model = model_of(found)
    text = inner_config(found) or found
    modules = language(model, found)
    total = parameters_of(modules)
    answer = {
        "class": type(model).__name__,
        "version": __version__,
        "model_type": found.model_type,
        "parameters": total,
        "whole": parameters_of([model]),
        "active": active(modules[0], text, total),
        "context": stated(text, ("max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "max_sequence_length")),
        "layers": stated(text, ("num_hidden_layers", "n_layer", "n_layers", "num_layers")),
        "vocabulary": stated(text, ("vocab_size",)),
        "modules": tree("", model),
        "strange": strange(without_code(config), found),
    }
    return answer, model


def main() -> None:
    """Answers until the other side closes. What libraries print goes to standard error."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(OFFLINE)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch
    import transformers.models.auto.modeling_auto  # the slow part, once

    torch.set_num_threads(1)
    answer_to({"model_type": "llama", "num_hidden_layers": 1, "vocab_size": 64})  # imports what every class needs
    print(json.dumps({"ready": transformers.__version__}), file=answers, flush=True)
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (request := sys.stdin.readline()):
        print(json.dumps(answer_to(json.loads(request)["config"])), file=answers, flush=True)


def answer_to(config: dict) -> dict:
    """The answer to a config, within its time, or a sentence on why there is none."""
    try:
        with within(CPU_SECONDS):
            answer, model = counts_of(config)
    except Refused as error:
        return {"refused": str(error)}
    except OutOfTime:
        return {"refused": f"building this model with its class in transformers takes longer than {CPU_SECONDS} seconds"}
    except MemoryError:
        return {"refused": "building this model with its class in transformers takes more memory than is allowed"}
    except Exception as error:  # a class of another library may raise anything
        return {"refused": f"transformers refuses this config: {error_text(error)}"}
    try:
        with within(CPU_SECONDS):
            return answer | {"cache": lines(model)}
    except (OutOfTime, MemoryError):
        return answer | {"cache": None}


if __name__ == "__main__":
    main()
