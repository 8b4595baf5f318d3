"""gpt-oss (model_type "gpt_oss"): every second layer is local; a learned sink in each head; biases everywhere; experts whose
activation is cut, with a softmax over the picked ones.

The loaded model keeps gate and up of an expert as neighbouring columns, (E, D, 2F), and down as (E, F, D); files hold the same
numbers in blocks of 4 bits, which are not read here.
"""

from core.model.ffn.moe import CLAMP, SLOPE, MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder
from core.real.hf.weights import Deinterleave, Transpose, naming

ROWS = {
    "gate_up_proj": (Transpose(), Deinterleave(dim=1)),
    "gate_up_proj_bias": (Deinterleave(dim=1),),
    "down_proj": (Transpose(),),
}


def read(f: Fields) -> ModelSpec:
    """config -> spec. The cut and the slope of the activation are known at one value only."""
    f.seen.update(("experts_per_token", "initial_context_length"))  # further names of fields that are read
    f.strange += [name for name, known in (("swiglu_limit", CLAMP), ("swiglu_alpha", SLOPE)) if f.number(name) != known]
    reaches = parts.reaches(f, lambda i: i % 2 == 0)
    return decoder(f, reaches, {"sinks": True, **biases(f)}, ffns=[experts(f)] * len(reaches))


def experts(f: Fields) -> MoE:
    """A softmax over the picked experts is one over all of them divided by the sum of the picked."""
    count = f.whole("num_local_experts", low=2)
    picked, hidden = f.whole("num_experts_per_tok", high=count), f.whole("intermediate_size", high=1 << 24)
    activation = f.choice("hidden_act", {"silu": "clamped"})
    return MoE(count, picked, hidden, activation=activation, router_bias=True, expert_bias=True)


def turned(spec: ModelSpec, name: str) -> tuple:
    """What is done to a tensor of the experts: they are turned, their gates and ups put apart."""
    return ROWS.get(name.rpartition(".")[2], ()) if ".experts." in name else ()


FAMILY = LLAMA.but("gpt_oss", read=read, table=naming({r"\.mlp\.gate\.": ".mlp.router."}, turned), defaults={
    "vocab_size": 201088, "intermediate_size": 2880, "num_key_value_heads": 8, "head_dim": 64, "rms_norm_eps": 1e-5,
    "rope_theta": 150000.0, "attention_bias": True, "sliding_window": 128, "num_local_experts": 128, "num_experts_per_tok": 4,
    "swiglu_limit": CLAMP, "swiglu_alpha": SLOPE, "max_position_embeddings": 131072,
    "rope_parameters": {
        "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
        "original_max_position_embeddings": 4096,
    },
})  # fmt: skip
