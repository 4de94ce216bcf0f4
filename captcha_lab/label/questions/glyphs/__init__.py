"""Questions about the glyphs of captchas that were cut."""
