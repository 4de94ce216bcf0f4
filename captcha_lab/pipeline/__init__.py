"""Chains stages for commands that do the earlier steps themselves; the only room that knows several stages."""

from captcha_lab.pipeline.captchas import (
    describe_segmentation,
    ensure_packed,
    ensure_packed_file,
    ensure_segmented,
    segment,
)
from captcha_lab.pipeline.common import Progress, Say, find_model, locate, silent
from captcha_lab.pipeline.generator_data import (
    GeneratorData,
    generator_data,
    packed_condition,
    recogniser_quality,
)
from captcha_lab.pipeline.generators import (
    generate,
    load_generator,
    overview_generator,
    resume_generator,
    train_generator,
    train_generators,
)
from captcha_lab.pipeline.reading import load_recogniser, read
from captcha_lab.pipeline.training import train

__all__ = [
    "GeneratorData",
    "Progress",
    "Say",
    "describe_segmentation",
    "ensure_packed",
    "ensure_packed_file",
    "ensure_segmented",
    "find_model",
    "generate",
    "generator_data",
    "load_generator",
    "load_recogniser",
    "locate",
    "overview_generator",
    "packed_condition",
    "read",
    "recogniser_quality",
    "resume_generator",
    "segment",
    "silent",
    "train",
    "train_generator",
    "train_generators",
]
