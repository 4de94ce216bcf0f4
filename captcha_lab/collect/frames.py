"""One picture out of a file that is not kept as it came: one frame or all of an animation, or a format of scanners."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageSequence

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT
from captcha_lab.store.containers.walk import walk
from captcha_lab.store.images import FORMATS, MAX_PIXELS, OTHER_FORMATS, Picture, encode, identify

MERGE = "merge"
MAX_FRAME_PIXELS = 64_000_000  # of all frames together


def stored_form(data: bytes, frame: str | None = None) -> tuple[bytes, Picture]:
    """The bytes under which a picture is kept, walked through: its own, or a PNG of the same pixels.

    Args:
        data: of a picture file.
        frame: what of an animation is meant: the number of a frame from 1, or `merge` (see `merge`).

    Raises:
        CaptchaLabError: it can't be taken; for an animation the message names the option that takes it.
    """
    container = walk(data)
    if container.frames > 1:
        if frame is None:
            raise CaptchaLabError(
                f"an animated {container.format} of {container.frames} frames is not one picture: "
                "--frame 1 takes its first frame, --frame merge lays all on one another"
            )
        size = container.width * container.height
        if not 0 < size <= MAX_PIXELS or size * container.frames > MAX_FRAME_PIXELS:
            raise CaptchaLabError(
                f"{container.frames} frames of {container.width}x{container.height} are too many"
            )
        data = encode(_frame(data, container.frames, frame))
    elif container.format in OTHER_FORMATS:  # no browser shows them, so no other command expects them
        data = encode(identify(data, formats=FORMATS | OTHER_FORMATS).decode()[0])
    return data, identify(data)


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
    colours, counts = np.unique(stack.reshape(-1, 3), axis=0, return_counts=True)
    background = colours[counts.argmax()].astype(np.int16)
    distance = np.abs(stack.astype(np.int16) - background).sum(axis=-1)
    strongest = distance.argmax(axis=0)
    return np.take_along_axis(stack, strongest[None, :, :, None], axis=0)[0]
