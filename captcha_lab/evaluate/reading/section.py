"""How well a reader reads, as sections of a page: whole captchas, and glyphs."""

from __future__ import annotations

from html import escape

from captcha_lab.evaluate.page.html import framed, interval_text, share_cell, share_text, table, tile, tiles
from captcha_lab.evaluate.page.pictures import captcha
from captcha_lab.evaluate.page.plots import confusion_section, line_plot
from captcha_lab.evaluate.reading.curve import CurvePoint
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.evaluate.reading.plots import damage_plot, reliability_plot
from captcha_lab.evaluate.reading.texts import ReadCaptcha, TextResult
from captcha_lab.metrics.accuracy import worst_confusions

SHOWN_ERRORS, SHOWN_EXAMPLES = 24, 6
COMMON = 12  # confusions named


def text_section(found: TextResult) -> str:
    """Whole captchas: figures, errors as pictures, what is taken for what, calibration, damages."""
    figures = [
        tile(share_text(found.captchas), f"whole captchas right ({interval_text(found.captchas)})"),
        tile(share_text(found.characters), f"characters right ({interval_text(found.characters)})"),
        tile(f"{100 * found.error_rate:.2f} %", "character error rate: edits per character"),
        tile(f"{100 * found.calibration.expected_error:.1f} %", "how far its confidence is off, on average"),
        tile(f"{found.speed:,.0f}", "captchas per CPU-second"),
    ]
    lengths = [("", [f"{length}", share_cell(share)]) for length, share in found.by_length.items()]
    parts = [
        f"<h2>Whole captchas, read by the {escape(found.kind)} reader</h2>",
        tiles(figures),
        _errors(found),
    ]
    if len(lengths) > 1:
        parts += ["<h3>By length</h3>", table(["characters", "captchas right"], lengths)]
    if found.curve:
        parts += ["<h3>By the number of labels</h3>", _curve(found.curve)]
    parts += [
        f"<p>Most frequent errors of characters: {text_confusions(found)}.</p>",
        f"<h3>Is its confidence honest?</h3>{framed(reliability_plot(found.calibration, 'captchas'), 'small')}",
        f"<h3>Damaged captchas</h3>\n{framed(damage_plot(found.damages, 'text'))}",
    ]
    return "\n".join(parts)


def _curve(points: list[CurvePoint]) -> str:
    """The learning curve, as a picture and a table."""
    learned = [point for point in points if point.captchas]  # the picture's labels are on a log scale
    rows = [("", [f"{p.captchas}", share_cell(p.share), f"{p.seconds:.0f}"]) for p in points]
    said = (
        "A reader of whole captchas trained anew on some of the labelled captchas; with 0 the reader that comes with "
        "the program."
    )
    plot = line_plot(
        [
            (
                "sequence reader",
                [point.captchas for point in learned],
                [100 * point.share.value for point in learned],
                [(100 * point.share.low, 100 * point.share.high) for point in learned],
            )
        ],
        "labelled captchas",
        "captchas right (%)",
        "learning-curve",
    )
    head = ["labelled captchas", "captchas right", "seconds of training"]
    return f"<p>{said}</p>\n{framed(plot, 'small')}\n{table(head, rows)}"


def text_confusions(found: TextResult) -> str:
    """`0 as O (12), nothing as 1 (3)`; "none" where nothing was misread."""
    said = [
        f"{escape(true) or 'nothing'} as {escape(read) or 'nothing'} ({count})"
        for true, read, count in found.confusions[:COMMON]
    ]
    return ", ".join(said) or "none"


def _errors(found: TextResult) -> str:
    wrong = "".join(map(read_captcha, found.errors[:SHOWN_ERRORS]))
    right = "".join(map(read_captcha, found.examples[:SHOWN_EXAMPLES]))
    shown = (
        f'<div class="captchas">{wrong}</div>' if wrong else "<p>None of the test captchas was misread.</p>"
    )
    said = "The text, then what was read and how sure the reader was; the surest first."
    head = f"<h3>Misread captchas</h3>\n<p>{said}</p>"
    also = f'<h3>Read right, the least sure</h3>\n<div class="captchas">{right}</div>' if right else ""
    return f"{head}\n{shown}\n{also}"


def read_captcha(one: ReadCaptcha) -> str:
    """One captcha with its text and what was read of it."""
    sure = f"{100 * one.reading.confidence:.0f} %"
    if one.reading.text == one.truth:
        return captcha(one.picture, f"<b>{escape(one.truth)}</b> {sure}", "", f"{one.truth}, read right")
    said = escape(one.reading.text) or "nothing"
    return captcha(
        one.picture,
        f"<b>{escape(one.truth)}</b> read as <b>{said}</b> {sure}",
        "bad",
        f"{one.truth}, misread",
    )


def glyph_section(found: GlyphResult) -> str:
    """Glyphs: accuracy, calibration, damages and confusion of the recogniser."""
    made = [tile(share_text(found.glyphs), f"all test glyphs ({interval_text(found.glyphs)})")]
    if not found.repeats:
        new = found.glyphs_distinct
        made = [tile(share_text(new), f"test glyphs that are new to it ({interval_text(new)})"), *made]
    if found.captchas is not None and found.captchas.trials:
        made += [
            tile(share_text(found.captchas), f"fully labelled captchas ({interval_text(found.captchas)})")
        ]
    made += [
        tile(f"{100 * found.calibration.expected_error:.2f} %", "how far its confidence is off, on average"),
        tile(f"{found.speed:,.0f}", "glyphs per CPU-second"),
    ]
    note = f"<p>{LOOK_UP}</p>\n" if found.repeats else ""
    confusion = confusion_section(found.confusion, found.classes, "reading")
    confusion = f"<div><h3>Confusion</h3>{confusion}</div>" if confusion else ""
    return (
        f"<h2>Glyphs, read by the recogniser</h2>\n{tiles(made)}\n{note}{_weakest(found)}"
        f'<div class="columns">{confusion}<div><h3>Is its confidence honest?</h3>'
        f"{framed(reliability_plot(found.calibration, 'glyphs'), 'small')}</div></div>\n"
        f"<h3>Damaged glyphs</h3>\n{framed(damage_plot(found.damages, 'glyph'))}"
    )


LOOK_UP = "Every test glyph repeats a training glyph, pixel by pixel: a table of them reads this captcha."


def _weakest(found: GlyphResult) -> str:
    """The classes read worst, and the most frequent errors."""
    shares = sorted(zip(found.classes, found.per_class, strict=True), key=lambda item: item[1].value)
    worst = [(name, share) for name, share in shares if share.trials and share.value < 1][:5]
    said = ", ".join(f"{escape(str(name))} ({share_text(share)})" for name, share in worst) or "none"
    errors = ", ".join(
        f"{escape(str(found.classes[a]))} as {escape(str(found.classes[b]))} ({n})"
        for a, b, n in worst_confusions(found.confusion, 8)
    )
    return f"<p>Classes read worst: {said}. Most frequent errors: {errors or 'none'}.</p>\n"
