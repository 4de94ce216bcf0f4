"""What `import` and `export` may be asked for; no heavy imports, the command line reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from captcha_lab.errors import UsageError

LABELS = ("auto", "filename", "folder", "csv", "jsonl", "none")
FORMATS = ("folders", "filenames", "csv", "jsonl", "mat", "h5")


@dataclass(frozen=True)
class ImportOptions:
    """Where the labels of imported captchas stand.

    Raises:
        UsageError: an unknown choice, or a pattern that is no regular expression.
    """

    # auto: the labels.csv or labels.jsonl in the folder, or what a .csv, .jsonl, .mat or .h5 file says; else filename
    labels: str = "auto"
    pattern: str | None = None  # its group `text`, else its first group, else the whole match is the label
    split_from_folders: bool = False  # folders named train, validation or test fix the split

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise UsageError(f"--labels {self.labels}: choose one of {', '.join(LABELS)}.")
        if self.pattern is None:
            return
        if self.labels not in ("auto", "filename"):
            raise UsageError(f"--pattern reads file names, so it can't go with --labels {self.labels}.")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise UsageError(f"--pattern {self.pattern!r} is no regular expression: {error}.") from error
