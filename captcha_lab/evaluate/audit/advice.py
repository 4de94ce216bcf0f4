"""What an audit's figures mean for the site's owner: a verdict, a grade, what would help and what would not."""

from __future__ import annotations

from captcha_lab.evaluate.audit.attack import TARGETS, Attack, Milestone, time_text
from captcha_lab.evaluate.audit.remedies import Remedy
from captcha_lab.evaluate.audit.result import Advice, Audit
from captcha_lab.evaluate.audit.table_attack import NAME as TABLE
from captcha_lab.evaluate.audit.traits import Guess, TraitResult
from captcha_lab.evaluate.grade import Grade

RESISTS = 0.2  # share of the captchas that a trait keeps from a trained reader, from which it helps
WORKS = 0.5  # of what a reader that trained on the change still reads: below this it helps
HARMLESS = 0.95  # share of glyphs that an unprepared reader still reads, from which a change does nothing
FEW_SHAPES = 0.5  # chance of a new shape below which shapes are worth a table
CLEAN = 0.5  # share of captchas that cut cleanly
FEW_KEYS, MANY_KEYS = 200, 1000

GRADES = {
    "A": "none of the attacks tried reads half of the captchas",
    "B": f"half of the captchas are read, but only after more than {MANY_KEYS} keystrokes",
    "C": f"half of the captchas are read after {FEW_KEYS} to {MANY_KEYS} keystrokes",
    "D": f"half of the captchas are read after fewer than {FEW_KEYS} keystrokes",
    "F": "half of the captchas are read without a label, or from a table of shapes",
}


def by_price(attack: Attack) -> tuple[float, ...]:
    """Sort key of attacks: keystrokes until half, most and nearly all of the captchas are read."""
    prices = [attack.keystrokes_to(target) for target in TARGETS]
    return (*(float("inf") if keys is None else float(keys) for keys in prices), -attack.best.value)


def _by_reach(attack: Attack) -> tuple[float, ...]:
    """Sort key of attacks: those that read most first, of these the cheapest."""
    reached = [keys for target in TARGETS if (keys := attack.keystrokes_to(target)) is not None]
    return -len(reached), float(reached[-1]) if reached else -attack.best.value


def cheapest(attacks: list[Attack]) -> list[Milestone]:
    """For each target the milestone of the attack that reaches it with the fewest keystrokes."""

    def price(milestone: Milestone) -> float:
        return float("inf") if milestone.keystrokes is None else milestone.keystrokes

    return [min(of_all, key=price) for of_all in zip(*(a.milestones for a in attacks), strict=True)]


def grade(attacks: list[Attack]) -> Grade | None:
    """The captcha's strength by the cheapest attack; None where none was tried."""
    if not attacks:
        return None
    half = min(attacks, key=by_price).keystrokes_to(TARGETS[0])
    table = any(a.name == TABLE and a.keystrokes_to(TARGETS[0]) is not None for a in attacks)
    keys = float("inf") if half is None else half
    letter = "F" if keys == 0 or table else "D" if keys < FEW_KEYS else "C" if keys <= MANY_KEYS else "B"
    letter = "A" if half is None else letter
    return Grade(letter, GRADES[letter])


def verdict(found: Audit) -> str:
    """One sentence: how soon somebody who has never seen it reads it."""
    if not found.attacks:
        return f"None of the {found.captchas} captchas is labelled: how well they can be read is unknown."
    best = min(found.attacks, key=_by_reach)
    reached = [target for target in TARGETS if best.keystrokes_to(target) is not None]
    share = best.best
    text = (
        f"The {best.name} reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) of "
        f"{share.trials} captchas it has never seen"
    )
    if not reached:
        return f"{text}: with these labels the captcha withstands every attack that was tried."
    keys = best.keystrokes_to(reached[-1])
    minutes = (keys or 0) * found.seconds_per_keystroke / 60
    work = (
        f"after {keys} keystrokes of labelling ({time_text(minutes)})" if keys else "without a single label"
    )
    return (
        f"{text}; {work} it reads {100 * reached[-1]:.0f} %. "
        f"Somebody who wants to read this captcha with a program can.{_table(found, best)}"
    )


def _table(found: Audit, best: Attack) -> str:
    """That a table suffices, where another attack opened the verdict."""
    table = next((attack for attack in found.attacks if attack.name == TABLE), None)
    if table is None or table is best or table.keystrokes_to(TARGETS[1]) is None:
        return ""
    return f" A look-up table of {table.points[-1].keystrokes} shapes reads {100 * table.best.value:.0f} % of it, too."


def advice(found: Audit) -> list[Advice]:
    """What would help and what would not, each from a figure of this audit, the largest gain first."""
    known = [_endpoint(found), _cut(found), _shapes(found), *(_remedy(r) for r in found.remedies)]
    known += [_trait(result) for result in found.traits] + [_guess(guess) for guess in found.guesses]
    if found.uniform is not None and found.uniform < 0.001:
        known.append(
            Advice("Drawing all characters equally often costs somebody who guesses a little.", False)
        )
    if found.attacks:
        known.append(
            Advice(
                "Limiting tries per visitor, and asking for proof of something else than reading, help whatever the "
                "picture looks like: a reader that errs asks for another picture.",
                True,
            )
        )
    lines = [line for line in known if line is not None]
    return sorted(lines, key=lambda line: -1.0 if line.gain is None else line.gain, reverse=True)


def _read_share(found: Audit) -> float:
    return max((attack.best.value for attack in found.attacks), default=0.0)


def _endpoint(found: Audit) -> Advice | None:
    if found.endpoint is None or found.endpoint.repeats == 0:
        return None
    size = found.endpoint.population
    return Advice(
        f"Drawing each picture afresh: {found.endpoint.repeats} of {found.endpoint.received} captchas came a second "
        f"time, so there may be only about {size:,.0f} different pictures, few enough for a table of them.",
        True,
    )


def _cut(found: Audit) -> Advice | None:
    if found.clean is None:
        return None
    share = found.clean.value
    if share >= CLEAN:
        return Advice(
            f"Letting characters touch, overlap and stand at uneven places: {100 * share:.0f} % of the captchas fall "
            "cleanly into cells. It asks for a reader of whole captchas, which is a minute of training.",
            False,
        )
    if _read_share(found) >= WORKS:
        return Advice(
            f"Characters that touch: only {100 * share:.0f} % of the captchas cut cleanly, and they are read all the "
            "same.",
            False,
        )
    return Advice(
        f"Characters that touch, as they do: only {100 * share:.0f} % of the captchas cut cleanly.", True
    )


def _shapes(found: Audit) -> Advice | None:
    shapes = found.shapes
    if shapes is None or shapes.unseen_chance > FEW_SHAPES:
        return None
    return Advice(
        f"Deforming each glyph continuously: {shapes.glyphs} glyphs show only {shapes.distinct} different shapes, and "
        f"the next glyph is new with a chance of {100 * shapes.unseen_chance:.0f} %, so a table of shapes works.",
        True,
    )


def _trait(result: TraitResult) -> Advice:
    """Drawn without a trait that the captcha has, or with one that it has not."""
    own, after = 100 * result.own.value, 100 * result.learned.value
    reader = f"a reader trained on {result.captchas} such captchas reads"
    if result.added:
        text = f"{result.text}: {reader} {after:.0f} % of them, and {own:.0f} % of the captchas as they are."
    else:
        text = f"The {result.trait} of the captchas: with {result.text} instead, {reader} {after:.0f} %, "
        text += f"not {own:.0f} %."
    return Advice(text[0].upper() + text[1:], result.sure and result.gain >= RESISTS, result.gain)


def _guess(guess: Guess) -> Advice:
    """Where the endpoint's style can't be drawn again."""
    having, others = guess.having, guess.others
    return Advice(
        f"{guess.text[0].upper()}{guess.text[1:]} (a guess: such captchas may differ in more than this): "
        f"{100 * having.value:.0f} % of them are read, of the others {100 * others.value:.0f} %.",
        having.value < WORKS and having.high < others.low,
        others.value - having.value,
    )


def _remedy(remedy: Remedy) -> Advice:
    change = f"{remedy.name} of {remedy.level:g} ({remedy.unit})".capitalize()
    before, after = 100 * remedy.unprepared.value, 100 * remedy.prepared.value
    best = max(remedy.unprepared.value, remedy.prepared.value)  # whoever attacks takes the better reader
    gain = 1 - best
    if remedy.unprepared.value >= HARMLESS:
        return Advice(f"{change}: the reader as it is still reads {before:.0f} % of the glyphs.", False, gain)
    if best < WORKS:
        return Advice(f"{change}: even a reader trained on it reads {after:.0f} % of the glyphs.", True, gain)
    return Advice(
        f"{change}: the reader as it is falls to {before:.0f} % of the glyphs, but one trained on such glyphs reads "
        f"{after:.0f} %.",
        False,
        gain,
    )
