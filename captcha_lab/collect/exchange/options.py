"""What `import` and `export` may be asked for; no heavy imports, the command line reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from captcha_lab.collect.frame_choice import check_frame
from captcha_lab.errors import UsageError

LABELS = ("auto", "filename", "folder", "list", "none")
_LISTS = ("csv", "jsonl")  # what `list` was called before, by the file's kind
FORMATS = ("folders", "filenames", "csv", "jsonl", "mat", "h5")


@dataclass(frozen=True)
class ImportOptions:
    """Where the labels of imported captchas stand, and what they may replace.

    Raises:
        UsageError: an unknown choice, or a pattern that is no regular expression.
    """

    # auto: a label list among the pictures, else the file names' pattern where it is sure, else none
    labels: str = "auto"
    pattern: str | None = None  # its group `text`, else its first group, else the whole match is the label
    split_from_folders: bool = False  # folders named train, validation or test fix the split
    replace: bool = False  # imported labels replace a person's too
    frame: str | None = None  # of an animation: a number from 1, or "merge"

    def __post_init__(self) -> None:
        if self.labels not in (*LABELS, *_LISTS):
            raise UsageError(f"--labels {self.labels}: choose one of {', '.join(LABELS)}.")
        check_frame(self.frame)
        if self.pattern is None:
            return
        if self.labels not in ("auto", "filename"):
            raise UsageError(f"--pattern reads file names, so it can't go with --labels {self.labels}.")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise UsageError(f"--pattern {self.pattern!r} is no regular expression: {error}.") from error

    @property
    def list_kind(self) -> str | None:
        """`csv`, `jsonl` or `list` (any kind) where a list must be read, else None."""
        return self.labels if self.labels in ("list", *_LISTS) else None
