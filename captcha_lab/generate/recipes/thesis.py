"""Thesis, chapter 4: captcha glyphs 20x20x1 in [0, 1]."""

from __future__ import annotations

from captcha_lab.generate.recipe import Recipe

RECIPES: tuple[Recipe, ...] = ()
