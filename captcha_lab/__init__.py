"""captcha-lab: from a captcha endpoint you may test to a recogniser that reads it and generators it scores.

The interface for scripts: `load_recogniser` and `load_generator`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.version import __version__

if TYPE_CHECKING:
    from captcha_lab.generate.sampling.sample import Generator
    from captcha_lab.recognise.contract import CaptchaReader

__all__ = ["__version__", "load_generator", "load_recogniser"]


def load_recogniser(path: Path | str) -> CaptchaReader:
    """A reader of captchas, of whatever kind, from its run folder or model file; `.read(images)` reads.

    Raises:
        CaptchaLabError: the file is absent, damaged, or another kind of model.
    """
    from captcha_lab.recognise.registry import load_reader

    return load_reader(path)


def load_generator(path: Path | str) -> Generator:
    """A generator from its run folder or model file; `.sample(labels=…, seed=…)` draws images.

    Raises:
        CaptchaLabError: the file is absent, damaged, or another kind of model.
    """
    from captcha_lab.generate.sampling.sample import load_generator as load

    return load(Path(path))
