"""Which captcha or glyph to ask next, and what an answer means."""
