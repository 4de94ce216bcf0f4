"""Which frame of an animation is meant; imports nothing heavy, so that the command line can use it."""

from __future__ import annotations

import re

from captcha_lab.errors import UsageError

MERGE = "merge"
FRAME_HELP = (
    "Take this frame of an animation, or all of them laid on one another [default: animations are refused]."
)


def check_frame(frame: str | None) -> None:
    """See that a frame of an animation can be meant.

    Raises:
        UsageError: it is neither a number from 1 nor `merge`.
    """
    if frame is not None and frame != MERGE and not re.fullmatch(r"[1-9]\d{0,5}", frame):
        raise UsageError(f"--frame {frame}: give the number of a frame from 1, or `merge`.")
