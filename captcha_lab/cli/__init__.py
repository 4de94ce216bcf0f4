"""The command line: one short file per command; the only place that knows Typer."""
