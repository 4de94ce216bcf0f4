"""The options of `generate`, and its report. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import UsageError

KIND = "generated"  # of a packed file, in its facts


@dataclass(frozen=True)
class SampleOptions:
    """Which samples to draw, and where to write them.

    Raises:
        UsageError: options that exclude each other, or nothing of that kind can be written there.
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
        self._check_target(Path(self.out))

    def _check_target(self, out: Path) -> None:
        from captcha_lab.store.images import check_target
        from captcha_lab.store.packed.packed import packed_info

        if self.grid or self.interpolate:
            if out.suffix and not out.is_dir():
                check_target(out)
        elif out.suffix != ".h5" and not out.is_dir() and (out.suffix or out.exists()):
            raise UsageError(
                f"{out} is {'a' if out.exists() else 'named like a'} file: name a folder (make one whose name has a "
                "dot first) or a path that ends in .h5 with --out."
            )
        elif out.suffix == ".h5":
            info = packed_info(out)
            if out.is_dir() or (info is not None and info.get("kind") != KIND):
                raise UsageError(f"{out} holds no generated pictures: name another file with --out.")


@dataclass(frozen=True)
class SampleReport:
    """What was written."""

    what: str
    count: int
    path: Path
    run: str
