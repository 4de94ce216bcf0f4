"""What a candidate's figures mean: faults by name, the worst first, a grade, an order, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.grade import Grade
from captcha_lab.metrics.intervals import Share

# Limits are relative to the baseline (real against real at the same sample size) where a measure has one.
COLLAPSED_RECALL = 0.10  # share of the baseline's recall, together with …
COLLAPSED_VARIANCE = 0.10  # … this share of its variance within classes, or …
COLLAPSED_MODES = 0.10  # … this share of its modes
NARROW_RECALL = 0.5
COPIES = 0.02  # share of exact copies
NEAR_COPIES = 0.5
UNREADABLE_PRECISION = 0.25
WRONG_CLASS = 0.5  # share read as asked, while …
PLAUSIBLE = 0.5  # … this share of the baseline's precision says that they look like glyphs
MISSING_CLASSES = 0.95
MISREAD_CLASS = 0.5  # share of one class's samples read as asked, of …
LEAST_SAMPLES = 8  # … at least so many
ROUGH, SMOOTH = 1.3, 0.8
CLOSE_TO_REAL = 1.5  # times the baseline's Fréchet distance
WEAK_CLASS = 0.95  # upper end of a class's share below which it is named as the weakest
NAMED = 5  # classes named in a sentence

# Worst first; the first one found opens the sentence.
FAULTS = {
    "collapsed": "has collapsed: its samples are all but the same picture over and over",
    "copies": "copies its training images",
    "noise": "makes nothing that looks real",
    "wrong class": "makes good pictures of the wrong class or text",
    "classes missing": "leaves classes out",
    "classes misread": "makes glyphs of some classes that are not read as such",
    "narrow": "covers too little of the real variety",
    "speckled": "leaves speckle or grey where real images are clean",
    "blurred": "is blurred",
}
# With one of these a candidate can't win, whatever its other figures are.
DISQUALIFYING = ("collapsed", "copies", "noise", "wrong class", "classes missing")

GRADES = {
    "A": "as good as real images in every measure",
    "B": "no fault in any measure, though farther from real images than these are from each other",
    "C": "usable, with a fault that its samples show",
    "D": "some classes are unusable",
    "F": "unusable: a fault that no other figure makes up for",
}


@dataclass(frozen=True)
class Verdict:
    """Faults found (keys of `FAULTS`, worst first), the sentence that says so, and a letter of `GRADES`."""

    faults: tuple[str, ...]
    sentence: str
    letter: str = "C"

    @property
    def disqualified(self) -> bool:
        """Whether it stands below every candidate that isn't."""
        return any(fault in DISQUALIFYING for fault in self.faults)

    @property
    def grade(self) -> Grade:
        """The letter with its meaning."""
        return Grade(self.letter, GRADES[self.letter])


def judge_figures(
    name: str,
    figures: Mapping[str, Value],
    baseline: Mapping[str, Value],
    per_class: Mapping[str, Share] | None = None,
) -> Verdict:
    """Name the faults of a candidate by its figures beside the baseline's, and by what is read of each class."""
    misread = misread_classes(per_class or {})
    found = _symptoms(figures, baseline, bool(misread))
    faults = tuple(fault for fault in FAULTS if found[fault])
    weakest = "" if misread else _weakest(per_class or {})
    sentence = _sentence(name, figures, baseline, faults, misread, weakest)
    return Verdict(faults, sentence, _letter(faults, figures, baseline))


def misread_classes(per_class: Mapping[str, Share]) -> dict[str, Share]:
    """Classes of which too few samples are read as asked, worst first."""
    bad = {
        name: share
        for name, share in per_class.items()
        if share.trials >= LEAST_SAMPLES and share.value < MISREAD_CLASS
    }
    return dict(sorted(bad.items(), key=lambda item: item[1].value))


def _symptoms(figures: Mapping[str, Value], baseline: Mapping[str, Value], misread: bool) -> dict[str, bool]:
    def of(key: str, default: float) -> float:
        value = figures[key].value if key in figures else default
        return value if value == value else default  # a figure that can't be had accuses nobody

    def share(key: str) -> float:
        base = baseline[key].value if key in baseline else 0.0
        return of(key, 1.0) / base if base > 0 else 1.0

    collapsed = share("recall") < COLLAPSED_RECALL and (
        share("variance") < COLLAPSED_VARIANCE or share("modes_reached") < COLLAPSED_MODES
    )
    noise = not collapsed and share("precision") < UNREADABLE_PRECISION and share("coverage") < NARROW_RECALL
    copies = of("exact_copies", 0.0) > COPIES or of("near_copies", 0.0) > NEAR_COPIES
    missing = of("classes_reached", 1.0) < MISSING_CLASSES
    blurred = share("roughness") < SMOOTH
    as_asked = min(of("gan_test", 1.0), of("characters", 1.0))
    # A missing class is read as another one; it is called missing, not wrong.
    wrong = not (collapsed or missing) and share("precision") >= PLAUSIBLE and as_asked < WRONG_CLASS
    return {
        "collapsed": collapsed,
        "copies": copies and not collapsed,
        "noise": noise,
        "wrong class": wrong,
        "classes missing": not (collapsed or noise) and missing,
        "classes misread": misread and not (collapsed or noise or missing or wrong),
        "narrow": not (collapsed or noise) and share("recall") < NARROW_RECALL,
        "speckled": not (collapsed or noise or blurred)
        and (share("roughness") > ROUGH or of("neighbour", 1.0) > ROUGH),
        "blurred": not (collapsed or noise) and blurred,
    }


def _letter(faults: tuple[str, ...], figures: Mapping[str, Value], baseline: Mapping[str, Value]) -> str:
    if any(fault in DISQUALIFYING for fault in faults):
        return "F"
    if faults:
        return "D" if "classes misread" in faults else "C"
    times = _distance_ratio(figures, baseline)
    return "A" if times is None or times <= CLOSE_TO_REAL else "B"


def _distance_ratio(figures: Mapping[str, Value], baseline: Mapping[str, Value]) -> float | None:
    """How many times as far from real images as these are from each other; None where that can't be said."""
    key = next((key for key in ("frechet", "attribute_frechet") if key in figures), None)
    if key is None or not baseline[key].value > 0:
        return None
    return figures[key].value / baseline[key].value


def _sentence(
    name: str,
    figures: Mapping[str, Value],
    baseline: Mapping[str, Value],
    faults: tuple[str, ...],
    misread: Mapping[str, Share],
    weakest: str,
) -> str:
    said = [_misread(misread) if fault == "classes misread" else FAULTS[fault] for fault in faults]
    text = f"{name} {joined(said)}" if said else f"{name} shows no fault in any measure"
    shares = (("gan_test", "of its samples read as asked", "real ones"),
              ("texts", "of its captchas read as asked", "real ones"),
              ("attributes", "of attributes as asked", "read off real ones"))  # fmt: skip
    for key, what, real in shares:
        if key in figures:
            base = f" ({real}: {100 * baseline[key].value:.1f} %)" if key in baseline else ""
            text += f"; {100 * figures[key].value:.1f} % {what}{base}"
    text += weakest
    times = _distance_ratio(figures, baseline)
    if times is not None:
        near = "as near to real ones as real ones are to each other"
        far = f"{times:.3g} times as far from real ones as other real ones are"
        text += f"; {near if times <= CLOSE_TO_REAL else far}"
    return text + "."


def _weakest(per_class: Mapping[str, Share]) -> str:
    """`; of its weakest class, 5, 78 %`; nothing where that is no worse than chance explains."""
    known = [(share, name) for name, share in per_class.items() if share.trials >= LEAST_SAMPLES]
    if not known or min(known)[0].high > WEAK_CLASS:
        return ""
    share, name = min(known)
    return f"; of its weakest class, {name}, {100 * share.value:.0f} %"


def _misread(classes: Mapping[str, Share]) -> str:
    """`makes no readable E (0 % read as asked), 5 (36 %) and 2 more`."""
    named = [f"{name} ({100 * share.value:.0f} %)" for name, share in list(classes.items())[:NAMED]]
    if len(classes) > NAMED:
        named.append(f"{len(classes) - NAMED} more")
    named[0] = named[0].replace(" %)", " % read as asked)")
    return f"hardly makes a readable {joined(named)}"


def joined(parts: list[str]) -> str:
    """A list in words.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def ranking(figures: Mapping[str, Value], verdict: Verdict) -> tuple[bool, float]:
    """Sort key of a leaderboard: disqualified ones last, then by Fréchet distance, in the judge's features if any.

    The judge's features come first because checkpoints are chosen by the recogniser's.
    """
    keys = ("frechet_judge", "frechet", "attribute_frechet", "sliced")
    value = next((figures[key] for key in keys if key in figures), None)
    return verdict.disqualified, float("inf") if value is None else value.value
