"""The glyph reader: captchas cut into cells, each read by the thesis's LeNet."""
