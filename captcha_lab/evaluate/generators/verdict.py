"""What a candidate's figures mean: faults by name, an order, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from captcha_lab.evaluate.generators.measures import Value

# Limits are relative to the floor (real against real at the same sample size) where a measure has one.
COLLAPSED_RECALL = 0.10  # share of the floor's recall, together with …
COLLAPSED_VARIANCE = 0.10  # … this share of its variance within classes, or …
COLLAPSED_MODES = 0.10  # … this share of its modes
NARROW_RECALL = 0.5
COPIES = 0.02  # share of exact copies
NEAR_COPIES = 0.5
UNREADABLE_PRECISION = 0.25
WRONG_CLASS = 0.5  # share read as asked, while …
PLAUSIBLE = 0.5  # … this share of the floor's precision says that they look like glyphs
MISSING_CLASSES = 0.95
ROUGH, SMOOTH = 1.3, 0.8
CLOSE_TO_FLOOR = 1.5  # times the floor's Fréchet distance

FAULTS = {
    "collapsed": "has collapsed: its samples are all but the same picture over and over",
    "copies": "copies its training images",
    "noise": "makes nothing that looks real",
    "wrong class": "makes good glyphs of the wrong class",
    "classes missing": "leaves classes out",
    "narrow": "covers too little of the real variety",
    "speckled": "leaves speckle or grey where real ones are clean",
    "blurred": "is blurred",
}
# With one of these a candidate can't win, whatever its other figures are.
DISQUALIFYING = ("collapsed", "copies", "noise", "wrong class", "classes missing")


@dataclass(frozen=True)
class Verdict:
    """Faults found (keys of `FAULTS`) and the sentence that says so."""

    faults: tuple[str, ...]
    sentence: str

    @property
    def disqualified(self) -> bool:
        """Whether it stands below every candidate that isn't."""
        return any(fault in DISQUALIFYING for fault in self.faults)


def judge_figures(name: str, figures: Mapping[str, Value], floor: Mapping[str, Value]) -> Verdict:
    """Name the faults of a candidate by its figures beside the floor's."""
    faults = tuple(fault for fault, found in _symptoms(figures, floor).items() if found)
    return Verdict(faults, _sentence(name, figures, floor, faults))


def _symptoms(figures: Mapping[str, Value], floor: Mapping[str, Value]) -> dict[str, bool]:
    def of(key: str, default: float) -> float:
        value = figures[key].value if key in figures else default
        return value if value == value else default  # a figure that can't be had accuses nobody

    def share(key: str) -> float:
        base = floor[key].value if key in floor else 0.0
        return of(key, 1.0) / base if base > 0 else 1.0

    collapsed = share("recall") < COLLAPSED_RECALL and (
        share("variance") < COLLAPSED_VARIANCE or share("modes_reached") < COLLAPSED_MODES
    )
    noise = not collapsed and share("precision") < UNREADABLE_PRECISION and share("coverage") < NARROW_RECALL
    copies = of("exact_copies", 0.0) > COPIES or of("near_copies", 0.0) > NEAR_COPIES
    missing = of("classes_reached", 1.0) < MISSING_CLASSES
    blurred = share("roughness") < SMOOTH
    plausible = share("precision") >= PLAUSIBLE
    return {
        "collapsed": collapsed,
        "copies": copies and not collapsed,
        "noise": noise,
        # A missing class is read as another one; it is called missing, not wrong.
        "wrong class": not (collapsed or missing) and plausible and of("gan_test", 1.0) < WRONG_CLASS,
        "classes missing": not (collapsed or noise) and missing,
        "narrow": not (collapsed or noise) and share("recall") < NARROW_RECALL,
        "speckled": not (collapsed or noise or blurred)
        and (share("roughness") > ROUGH or of("neighbour", 1.0) > ROUGH),
        "blurred": not (collapsed or noise) and blurred,
    }


def _sentence(
    name: str, figures: Mapping[str, Value], floor: Mapping[str, Value], faults: tuple[str, ...]
) -> str:
    said = [FAULTS[fault] for fault in faults]
    text = f"{name} {_list(said)}" if said else f"{name} shows no fault in any measure"
    if "gan_test" in figures:
        base = f" (real ones: {100 * floor['gan_test'].value:.1f} %)" if "gan_test" in floor else ""
        text += f"; {100 * figures['gan_test'].value:.1f} % of its samples read as asked{base}"
    distance = next((key for key in ("frechet", "attribute_frechet") if key in figures), None)
    if "attributes" in figures:
        base = (
            f" (read off real ones: {100 * floor['attributes'].value:.1f} %)" if "attributes" in floor else ""
        )
        text += f"; {100 * figures['attributes'].value:.1f} % of attributes as asked{base}"
    if distance is not None and floor[distance].value > 0:
        times = figures[distance].value / floor[distance].value
        near = "as near to real ones as real ones are to each other"
        text += (
            f"; {near}"
            if times <= CLOSE_TO_FLOOR
            else f"; {times:.3g} times as far from real ones as other real ones are"
        )
    return text + "."


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def ranking(figures: Mapping[str, Value], verdict: Verdict) -> tuple[bool, float]:
    """Sort key of a leaderboard: disqualified ones last, then by Fréchet distance, in the judge's features if any.

    The judge's features come first because checkpoints are chosen by the recogniser's.
    """
    keys = ("frechet_judge", "frechet", "attribute_frechet", "sliced")
    value = next((figures[key] for key in keys if key in figures), None)
    return verdict.disqualified, float("inf") if value is None else value.value
