"""Cutting captchas into glyphs: pure functions on arrays."""
