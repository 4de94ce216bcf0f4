"""The version, stated here only: the package's metadata and the scraper's User-Agent take it from here."""

__version__ = "0.2.0.dev0"
