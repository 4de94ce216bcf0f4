"""The polite scraper."""
