"""Whether a reader and a candidate fit the data, and a clear line where they don't."""

from __future__ import annotations

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.readers import SampleReader
from captcha_lab.evaluate.real import RealData


def check_candidate(candidate: Candidate, real: RealData, seed: int) -> None:
    """Draw one image and compare its size, and the classes, with the data's.

    Raises:
        CaptchaLabError: they differ.
    """
    images = candidate.images
    if images is None:
        asked = None
        if candidate.labelled:
            asked = candidate.conditions(real, real.some_conditions(1), 1)
        images = candidate.draw(asked, 1, (seed,))
    if images.shape[1:] != real.image_shape:
        raise CaptchaLabError(
            f"{candidate.name} makes images of {size_text(images.shape[1:])}, but the data's are "
            f"{size_text(real.image_shape)}: choose the dataset it was trained on with --dataset."
        )
    classes = tuple(candidate.facts.get("classes") or ())
    if candidate.labelled and real.labelled and classes and classes != real.classes:
        raise CaptchaLabError(
            f"{candidate.name} makes the classes {_brief(classes)}, but the data has "
            f"{_brief(real.classes)}: choose the dataset it was trained on with --dataset."
        )


def check_reader(reader: SampleReader, real: RealData, name: str) -> None:
    """Compare a reader's classes and size with the data's.

    Raises:
        CaptchaLabError: they differ.
    """
    for network in reader.networks:
        if real.labelled and tuple(network.classes) != real.classes:
            raise CaptchaLabError(
                f"The {name} reads the classes {_brief(tuple(network.classes))}, but the data has "
                f"{_brief(real.classes)}: train one on this dataset with `captcha-lab train`."
            )
        if network.size != real.image_shape[0]:
            raise CaptchaLabError(
                f"The {name} reads images of {network.size}x{network.size}, but the data's are "
                f"{size_text(real.image_shape)}: train one on this dataset with `captcha-lab train`."
            )


def _brief(classes: tuple[str, ...]) -> str:
    text = "".join(classes) if all(len(c) == 1 for c in classes) else ", ".join(classes)
    return text if len(text) <= 40 else text[:37] + "…"


def size_text(shape: tuple[int, ...]) -> str:
    """The size of images as people say it: `20x20 grey`."""
    return f"{shape[1]}x{shape[0]} {'RGB' if len(shape) == 3 else 'grey'}"
