"""Qwen2-VL (model_type "qwen2_vl"): Qwen2 in a model that also sees; older files have its fields beside those of pictures."""

from core.real.hf.qwen2 import FAMILY as QWEN2

FAMILY = QWEN2.but("qwen2_vl_text", wrapper="qwen2_vl", table=None)
