"""Qwen2.5-VL (model_type "qwen2_5_vl"): its language model is Qwen2-VL's."""

from core.real.hf.qwen2_vl import FAMILY as QWEN2_VL

FAMILY = QWEN2_VL.but("qwen2_5_vl_text", wrapper="qwen2_5_vl")
