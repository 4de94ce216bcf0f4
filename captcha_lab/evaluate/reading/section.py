"""The recogniser's part of the report."""

from __future__ import annotations

from html import escape

from captcha_lab.evaluate.page.html import interval_text, share_text, tile
from captcha_lab.evaluate.page.plots import confusion_plot
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.evaluate.reading.plots import damage_plot, reliability_plot
from captcha_lab.metrics.accuracy import worst_confusions


def recogniser_section(reading: GlyphResult) -> str:
    """Accuracy, calibration, damages and confusion of the recogniser."""
    distinct, whole = reading.glyphs_distinct, reading.glyphs
    tiles = [
        tile(share_text(distinct), f"test glyphs, no duplicates ({interval_text(distinct)})"),
        tile(share_text(whole), f"all test glyphs ({interval_text(whole)})"),
    ]
    if reading.captchas is not None:
        tiles += [tile(share_text(reading.captchas), f"whole captchas ({interval_text(reading.captchas)})")]
    tiles += [
        tile(f"{100 * reading.calibration.expected_error:.2f} %", "expected calibration error"),
        tile(f"{reading.speed:,.0f}", "glyphs per CPU-second"),
    ]
    errors = worst_confusions(reading.confusion, 8)
    said = (
        ", ".join(
            f"{escape(str(reading.classes[a]))} as {escape(str(reading.classes[b]))} ({n})"
            for a, b, n in errors
        )
        or "none"
    )
    confusion = confusion_plot(reading.confusion, reading.classes, "reading")
    return (
        f'<h2>The recogniser</h2>\n<div class="tiles">{"".join(tiles)}</div>\n'
        f"<p>Most frequent errors: {said}.</p>\n"
        '<div class="columns">'
        f'<div><h3>Confusion</h3><div class="plot small">{confusion}'
        f'</div></div><div><h3>Is its confidence honest?</h3><div class="plot small">'
        f"{reliability_plot(reading.calibration)}</div></div></div>\n"
        f'<h3>What throws it</h3>\n<div class="plot">{damage_plot(reading.damages)}</div>'
    )
