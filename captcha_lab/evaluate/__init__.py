"""Evaluation: how good a recogniser and its generators are, how far to believe it, and how weak a captcha is."""
