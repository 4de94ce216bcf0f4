"""Measures of generated samples: a file here that defines `MEASURES` adds them to every table and report."""
