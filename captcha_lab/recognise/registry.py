"""Kinds of captcha readers: each is a file in `readers` with a `READER`, found by looking into that folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from captcha_lab.discovery import discover
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.extras import require
from captcha_lab.metrics.intervals import Share
from captcha_lab.parallel import ALONE, Group
from captcha_lab.plot import Plot
from captcha_lab.progress import PhaseProgress
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run, load_weights

_FOLDER = "captcha_lab.recognise.readers"  # by name: what lies in it imports this module


@dataclass(frozen=True)
class CaptchaViews:
    """A captcha dataset as readers learn from it: two views with the same split by captcha.

    Attributes:
        texts: whole pictures with their texts.
        glyphs: makes the glyph view, which takes a cut; only readers of cells ask for it.
        group: the processes that learn from them together; each trains the same reader, in a folder of its own.
    """

    texts: TextSet
    glyphs: Callable[[], PackedSet]
    group: Group = ALONE


@dataclass(frozen=True)
class ReaderReport:
    """A trained reader.

    Attributes:
        run: where it lies.
        kind: of the reader.
        seconds: spent on training.
        train: share of the training captchas read whole; of all shares with Wilson intervals.
        validation: of the validation captchas, None where none has a text.
        test: likewise of the test split.
        glyphs: shares of single glyphs by the name of the figure, where the reader reads cells.
        warnings: one line for each thing that makes it untrustworthy.
    """

    run: Run
    kind: str
    seconds: float
    train: Share | None
    validation: Share | None
    test: Share | None
    glyphs: dict[str, Share | None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        figures = [f"{split} {share}" for split, share in self._shares().items()]
        return f"ReaderReport({self.run.name}, {self.kind} reader: {', '.join(figures) or 'not validated'})"

    def _shares(self) -> dict[str, Share]:
        known = {"validation": self.validation, "test": self.test}
        return {split: share for split, share in known.items() if share is not None and share.trials}

    def _repr_html_(self) -> str:
        """What was read of each split, and what to be wary of."""
        rows = "".join(f"<tr><td>{split} captchas</td><td>{share}</td></tr>"
                       for split, share in self._shares().items())  # fmt: skip
        warnings = "".join(f"<li>{escape(line)}</li>" for line in self.warnings)
        head = f"<p><b>{escape(self.run.name)}</b>, {escape(self.kind)} reader, {self.seconds:.0f} s</p>"
        return f"{head}<table>{rows}</table>{f'<ul>{warnings}</ul>' if warnings else ''}"

    def plot(self) -> Plot:
        """Loss and share read right as the training went on.

        Raises:
            CaptchaLabError: matplotlib is not installed.
        """
        require("matplotlib")
        from captcha_lab.recognise.curves import training_figure

        unit = ("epoch", "step")
        return Plot(
            training_figure([line for line in self.run.history() if any(key in line for key in unit)])
        )


@dataclass(frozen=True)
class ReaderKind:
    """One kind of reader.

    Attributes:
        name: as `--reader` names it.
        summary: one line for people.
        architectures: those named in model files that it rebuilds.
        load: rebuilds a reader from a run folder or model file.
        train: trains one on a dataset's views and leaves a run folder. Its further arguments are the models' folder,
            settings (of the kind's own, by name), the run's name or None, and a `PhaseProgress`.
        suits: None where such a reader can learn from these captchas, else why not.
    """

    name: str
    summary: str
    architectures: tuple[str, ...]
    load: Callable[[Path | str], CaptchaReader]
    train: Callable[[CaptchaViews, Path, dict[str, Any], str | None, PhaseProgress], ReaderReport]
    suits: Callable[[CaptchaViews], str | None]


def reader_kinds() -> dict[str, ReaderKind]:
    """All kinds of readers by name."""
    return {kind.name: kind for kind in discover(_FOLDER, "READER").values()}


def reader_kind(name: str) -> ReaderKind:
    """One kind of reader.

    Raises:
        UsageError: there is none of that name.
    """
    kinds = reader_kinds()
    if name not in kinds:
        raise UsageError(f"There is no kind of reader {name!r}: choose one of {', '.join(kinds)}.")
    return kinds[name]


def load_reader(path: Path | str) -> CaptchaReader:
    """A trained reader of captchas, of whatever kind, from its run folder or model file.

    Raises:
        CaptchaLabError: the file is absent, damaged, or no reader of captchas.
    """
    _, metadata = load_weights(Path(path))
    for kind in reader_kinds().values():
        if metadata["architecture"] in kind.architectures:
            return kind.load(Path(path))
    known = ", ".join(name for kind in reader_kinds().values() for name in kind.architectures)
    raise CaptchaLabError(
        f"{path} holds a {metadata['architecture']}, not a reader of captchas (readers are: {known})."
    )
