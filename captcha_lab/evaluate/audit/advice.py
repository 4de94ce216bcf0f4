"""What an audit's figures mean for the site's owner: a verdict, and what would help and what would not."""

from __future__ import annotations

from captcha_lab.evaluate.audit.effort import Remedy, time_text
from captcha_lab.evaluate.audit.result import Audit

WORKS = 0.5  # of what a reader that trained on the change still reads: below this it helps
HARMLESS = 0.95  # share of glyphs that an unprepared reader still reads, from which a change does nothing
FEW_SHAPES = 0.5  # chance of a new shape below which shapes are worth a table
CLEAN = 0.5  # share of captchas that cut cleanly


def verdict(found: Audit) -> str:
    """One sentence: how soon a stranger reads it."""
    if found.reading is None or found.reading.captchas is None:
        return f"{found.captchas} captchas were looked at, but none is labelled: how well they can be read is unknown."
    share = found.reading.captchas
    text = (
        f"A small network that learned from {found.learned} captchas reads {100 * share.value:.1f} % "
        f"({100 * share.low:.1f} to {100 * share.high:.1f}) of {share.trials} others"
    )
    if found.milliseconds is not None:
        text += f" in {found.milliseconds:.2g} ms each"
    reached = [m for m in found.milestones if m.keystrokes is not None]
    if reached:
        best = reached[-1]
        text += (
            f"; {best.keystrokes} keystrokes of labelling ({time_text(best.minutes or 0)}) were enough to read "
            f"{100 * best.target:.0f} %"
        )
    weak = share.value >= 0.5
    return text + (
        ": it keeps no program out."
        if weak
        else ": with so few labels it resists this attack, which is the simplest one."
    )


def advice(found: Audit) -> list[str]:
    """Lines on what would help and what would not, each from a figure of this audit."""
    lines = [_endpoint(found), _cut(found), _shapes(found), *map(_remedy, found.remedies)]
    if found.uniform is not None and found.uniform < 0.001:
        lines.append(
            "Some characters come much more often than others: drawing them evenly costs a guesser a little."
        )
    if found.reading is not None:
        lines.append(
            "Limiting tries per visitor, and asking for proof of something else than reading, help whatever the "
            "picture looks like: a reader that errs sometimes just asks for another picture."
        )
    return [line for line in lines if line]


def _endpoint(found: Audit) -> str:
    if found.endpoint is None or found.endpoint.repeats == 0:
        return ""
    size = found.endpoint.population
    return (
        f"{found.endpoint.repeats} of {found.endpoint.received} captchas came a second time, so there may be "
        f"only about {size:,.0f} different pictures: drawing each afresh would keep a table of them from being made."
    )


def _cut(found: Audit) -> str:
    share = found.clean.value
    if share >= CLEAN:
        return (
            f"{100 * share:.0f} % of the captchas fall cleanly into {found.length} equal cells: letting "
            "characters touch, overlap and stand at uneven places would at least ask for another attack."
        )
    read = (
        found.reading.captchas.value
        if found.reading is not None and found.reading.captchas is not None
        else 0.0
    )
    if read >= 0.5:
        return (
            f"Only {100 * share:.0f} % of the captchas cut cleanly, and that did not help: fragments of a neighbour do "
            "not throw the reader."
        )
    return (
        f"Only {100 * share:.0f} % of the captchas cut cleanly, which equal cells can't cope with: keep that."
    )


def _shapes(found: Audit) -> str:
    shapes = found.shapes
    if shapes.unseen_chance > FEW_SHAPES:
        return ""
    return (
        f"{shapes.glyphs} glyphs show only {shapes.distinct} different shapes, and the next glyph is new with a chance "
        f"of {100 * shapes.unseen_chance:.0f} %: deforming each glyph continuously would keep a table of shapes "
        "from working."
    )


def _remedy(remedy: Remedy) -> str:
    change = f"{remedy.name} of {remedy.level:g} ({remedy.unit})"
    if remedy.unprepared.value >= HARMLESS:
        return (
            f"{change.capitalize()} would not help: today's reader still reads "
            f"{100 * remedy.unprepared.value:.0f} % of the glyphs."
        )
    before, after = 100 * remedy.unprepared.value, 100 * remedy.prepared.value
    if remedy.prepared.value < WORKS:
        return f"{change.capitalize()} would help: even a reader trained on it reads {after:.0f} % of the glyphs."
    return (
        f"{change.capitalize()} would not help for long: today's reader falls to {before:.0f} % of the glyphs, "
        f"but one trained on such glyphs reads {after:.0f} %."
    )
