"""Getting captchas in and out: the polite scraper, the built-in endpoint, importers and exporters."""
