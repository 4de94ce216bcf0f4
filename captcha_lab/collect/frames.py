"""One picture out of an animation: one of its frames, or all of them merged."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageSequence

from captcha_lab.collect.frame_choice import MERGE
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT
from captcha_lab.store.containers.walk import walk
from captcha_lab.store.images import FORMATS, MAX_PIXELS, encode

MAX_FRAME_PIXELS = 16_000_000  # of all frames together


def still(data: bytes, frame: str | None = None) -> bytes:
    """The bytes of a picture that does not move: its own, or of an animation a PNG of what is meant.

    Args:
        data: of a picture file.
        frame: the number of an animation's frame from 1, or `merge` (see `merge`).

    Raises:
        CaptchaLabError: the file is damaged, or an animation and the message names the option that takes it.
    """
    container = walk(data)
    if container.frames < 2 or container.format not in FORMATS:
        return data
    if frame is None:
        raise CaptchaLabError(
            f"an animated {container.format} is not taken: it has {container.frames} frames and must be one picture; "
            "--frame 1 takes its first frame, --frame merge lays all on one another"
        )
    size = container.width * container.height
    if not 0 < size <= MAX_PIXELS or size * container.frames > MAX_FRAME_PIXELS:
        raise CaptchaLabError(
            f"{container.frames} frames of {container.width}x{container.height} are too many"
        )
    # Of other formats the walk keeps one picture only.
    return encode(_frame(container.data if container.format == "GIF" else data, container.frames, frame))


def _frame(data: bytes, count: int, frame: str) -> np.ndarray:
    wanted = int(frame) if frame != MERGE else 0
    if wanted > count:
        raise CaptchaLabError(f"it has {count} frames and no frame {wanted}")
    try:
        with Image.open(io.BytesIO(data)) as image:
            shown = [
                _pixels(each) for k, each in enumerate(ImageSequence.Iterator(image), 1) if wanted in (0, k)
            ]
    except Exception as error:  # decoders raise nearly anything
        raise CaptchaLabError(f"{CUT} ({str(error)[:100] or type(error).__name__})") from error
    if not shown:
        raise CaptchaLabError(CUT)
    return merge(shown) if frame == MERGE else shown[0]


def _pixels(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3] of a frame on white paper."""
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    return np.asarray(paper.convert("RGB"))


def merge(frames: list[np.ndarray]) -> np.ndarray:
    """All frames laid on one another: at each pixel the frame's that differs most from the background.

    The background is the colour that most pixels of all frames have, so that characters which show in turn stand
    together.

    Args:
        frames: uint8 [H, W, 3] each, of one size.
    """
    stack = np.stack(frames)
    red, green, blue = (stack[..., k].astype(np.uint32) for k in range(3))
    numbers = red << 16 | green << 8 | blue
    colours, counts = np.unique(numbers, return_counts=True)
    background = colours[counts.argmax()] >> np.array([16, 8, 0], np.uint32) & 255
    distance = np.stack([np.abs(frame - background.astype(np.int16)).sum(axis=-1) for frame in stack])
    strongest = distance.argmax(axis=0)
    return np.asarray(np.take_along_axis(stack, strongest[None, :, :, None], axis=0)[0])
