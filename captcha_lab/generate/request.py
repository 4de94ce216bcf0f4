"""What `generate` is asked for, and the one function that fulfils it. No torch at import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import UsageError

if TYPE_CHECKING:
    from captcha_lab.generate.parallel import Group
    from captcha_lab.generate.sample import Generator


@dataclass(frozen=True)
class Request:
    """One order for samples.

    Raises:
        UsageError: two orders at once.
    """

    text: str = ""  # whole captchas of this text; with `interpolate`, the two classes to walk between
    count: int = 10
    per_class: int = 0  # single samples of every class
    grid: bool = False
    interpolate: bool = False
    steps: int = 10  # pictures per walk
    attributes: tuple[str, ...] = ()  # with `interpolate`, the one or two to walk between
    scale: int = 1  # of grids and walks
    seed: int = 0
    out: str = "generated"

    def __post_init__(self) -> None:
        named = (bool(self.text), bool(self.attributes))
        of_a_walk = (False, False) if self.interpolate else named
        if sum((*of_a_walk, self.per_class > 0, self.grid, self.interpolate)) > 1 or all(named):
            raise UsageError("Choose one of --text, --per-class, --grid, --interpolate and --attributes.")


@dataclass(frozen=True)
class Produced:
    """What was written."""

    what: str
    count: int
    path: Path
    run: str


def fulfil(request: Request, generator: Generator, run: str, group: Group) -> Produced | None:
    """Make what was asked for and write it; None in the processes that only helped.

    Raises:
        UsageError: the generator can't make it (no labels, an unknown class or attribute).
        CaptchaLabError: the disk refuses.
    """
    from captcha_lab.generate import produce

    out, seed = Path(request.out), request.seed
    if request.grid or request.interpolate:
        if not group.leads:
            return None
        what = "walks" if request.interpolate else "grid"
        pixels = (
            produce.walks(generator, seed, request.steps, request.text, request.attributes)
            if request.interpolate
            else produce.sheet(generator, seed)
        )
        path = out if out.suffix else out / f"{what}.png"
        produce.save_picture(path, pixels, request.scale)
        return Produced(f"picture ({what})", 1, path, run)
    if request.text:
        samples = produce.captchas(generator, request.text, request.count, seed, group)
    elif request.attributes:
        samples = produce.attributed(generator, request.attributes, request.count, seed, group)
    else:
        number = request.per_class or request.count
        samples = produce.single(generator, number, seed, group, per_class=request.per_class > 0)
    return produce.write_shares(samples, out, seed, generator.classes, group, run, bool(request.text))
