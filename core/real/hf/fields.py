"""Reading a config.json that may be wrong, one field at a time.

Every field is bounded before it is used. A field that is absent takes the family's class default and is remembered in
`assumed`; fields that nobody asked for and that are not known to be harmless are the `unknown` ones.
"""

from core.errors import WIDEST, SpecError, flag, number, one_of, short, whole

# Fields that change no count and no arithmetic of the language model: names, training, tokens, generation, bookkeeping, and how
# many modules that predict further tokens stand beside it (they are not counted).
HARMLESS = frozenset(
    """_name_or_path _attn_implementation architectures attention_dropout auto_map bos_token_id dtype embd_pdrop attn_pdrop
    eos_token_id initializer_range is_decoder model_type name_or_path output_attentions
    output_hidden_states pad_token_id problem_type quantization_config reorder_and_upcast_attn resid_pdrop return_dict
    summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj task_specific_params
    torch_dtype transformers_version unk_token_id use_cache pretraining_tp id2label label2id num_labels
    tokenizer_class unsloth_version gradient_checkpointing transformers.js_config
    _attn_implementation_autoset attn_implementation do_sample temperature top_p repetition_penalty max_length min_length
    num_beams output_scores return_dict_in_generate torchscript tie_encoder_decoder decoder_start_token_id sep_token_id
    cache_implementation chunk_size_feed_forward output_router_logits router_aux_loss_coef router_jitter_noise aux_loss_alpha
    seq_aux ep_size num_nextn_predict_layers num_mtp_layers use_mtp num_mtp_modules mtp_transformer_layers mtp_num_hidden_layers
    mtp_use_dedicated_embeddings use_mamba_kernels use_mambapy use_falcon_mambapy use_associative_scan mamba_chunk_size chunk_size
    num_logits_to_keep calc_logits_for_entire_prompt time_step_min time_step_max time_step_floor
    time_step_init_scheme rescale_prenorm_residual residual_in_fp32 eod_token_id
    diversity_penalty early_stopping encoder_no_repeat_ngram_size length_penalty no_repeat_ngram_size num_beam_groups
    num_return_sequences remove_invalid_values tf_legacy_loss top_k typical_p use_bfloat16 bad_words_ids begin_suppress_tokens
    suppress_tokens exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id prefix
    use_return_dict use_flash_attn use_flash_attention _flash_attn_2_enabled unsloth_fixed seq_length model_max_length
    max_sequence_length neftune_noise_alpha moe_router_dtype index_share_for_mtp_iteration loss_type""".split()
)  # fmt: skip
TOKENS = ("_token_id", "_token_ids", "_token_index")  # ends of names of single tokens
# Fields that are harmless at these values alone
HARMLESS_AT: dict[str, tuple] = {
    "add_cross_attention": (False,), "pruned_heads": ({},), "is_encoder_decoder": (False,),
}  # fmt: skip

INSIDE = ("text_config", "llm_config", "language_config", "thinker_config")  # where larger models keep their language model


class _Absent:
    """Stands for a field that is not there, so that errors can say so."""

    def __repr__(self):
        return "absent"


ABSENT = _Absent()


class Fields:
    """A config with the family's class defaults. `where` prefixes the names of a nested object."""

    def __init__(self, config: dict, defaults: dict, where: str = ""):
        self.config, self.defaults, self.where = config, defaults, where
        self.assumed: list[str] = []
        self.strange: list[str] = []  # fields of nested objects that nobody understood
        self.seen: set[str] = set()

    def raw(self, name: str):
        """The value as it stands, or the class default (then listed as assumed). An explicit null stays None."""
        self.seen.add(name)
        if name in self.config:
            return self.config[name]
        if name in self.defaults:
            self.assumed.append(self.where + name)
        return self.defaults.get(name, ABSENT)

    def has(self, name: str) -> bool:
        """Whether the config states a value (null is none)."""
        self.seen.add(name)
        return self.config.get(name) is not None

    def whole(self, name: str, low: int = 1, high: int = WIDEST) -> int:
        """A whole number within bounds."""
        return whole(self.where + name, self.raw(name), low, high)

    def number(self, name: str, low: float = 0.0, high: float = 1e15) -> float:
        """A finite number within bounds."""
        return number(self.where + name, self.raw(name), low, high)

    def flag(self, name: str) -> bool:
        """true or false; null is false, as the config classes take it."""
        value = self.raw(name)
        return flag(self.where + name, False if value is None else value)

    def choice(self, name: str, accepted: dict[str, str]) -> str:
        """What one of the keys of `accepted` stands for."""
        return accepted[one_of(self.where + name, self.raw(name), accepted)]

    def optional(self, name: str, low: int = 1, high: int = WIDEST) -> int | None:
        """A whole number, or None where the config says null (or the class default is null)."""
        value = self.raw(name)
        return None if value is None else whole(self.where + name, value, low, high)

    def or_else(self, name: str, value: int, low: int = 1, high: int = WIDEST) -> int:
        """A whole number; absent or null it is derived from other fields (`value`) and listed as assumed."""
        if self.has(name):
            return self.whole(name, low, high)
        self.assumed.append(self.where + name)
        return value

    def number_or(self, name: str, value: float, low: float = 0.0, high: float = 1e15) -> float:
        """A finite number; absent or null it is `value`, which other fields or the method's paper give."""
        return self.number(name, low, high) if self.has(name) else value

    def items(self, name: str, length: int) -> list | None:
        """A list of at least `length` entries (cut to it), or None where it is absent or null."""
        if not self.has(name):
            return None
        value = self.config[name]
        if not isinstance(value, list) or len(value) < length:
            raise SpecError(f"{self.where}{name} must be a list of {length} entries, not {short(value)}")
        return value[:length]

    def inside(self, name: str) -> dict:
        """A nested object; {} where it is absent or null."""
        if not self.has(name):
            return {}
        value = self.config[name]
        if not isinstance(value, dict):
            raise SpecError(f"{self.where}{name} must be an object, not {short(value)}")
        return value

    def only(self, *names: str) -> "Fields":
        """The same object with these fields alone."""
        return Fields({name: self.config[name] for name in names if name in self.config}, self.defaults, self.where)

    def take(self, name: str, value) -> None:
        """Read `value` as `name` from now on, because a field by another name says so."""
        self.config = {**self.config, name: value}

    def off(self, *names: str) -> None:
        """Features that are not built here: understood where absent or false, unknown where they are on."""
        self.seen.update(name for name in names if not self.config.get(name))

    def adopt(self, nested: "Fields") -> None:
        """Take over what a nested object assumed and did not understand."""
        self.assumed += nested.assumed
        self.strange += [nested.where + name for name in nested.unknown]

    @property
    def unknown(self) -> list[str]:
        """Fields that could matter and that nobody read."""
        stated = {
            name for name, value in self.config.items() if value is not None and value not in HARMLESS_AT.get(name, ())
        }  # fmt: skip
        plain = {name for name in stated if not name.endswith(TOKENS)}
        return sorted([*(plain - self.seen - HARMLESS), *self.strange])
