"""Cutting captchas into glyphs: pure functions on arrays."""

from captcha_lab.segment.segmenter import Segmenter

__all__ = ["Segmenter"]
