"""The recogniser's part of the report."""

from __future__ import annotations

from html import escape

from captcha_lab.evaluate.reading.measure import ReadingResult
from captcha_lab.evaluate.report.plots import confusion_plot, damage_plot, reliability_plot
from captcha_lab.metrics.accuracy import worst_confusions
from captcha_lab.metrics.intervals import Share


def tile(value: str, label: str) -> str:
    """A figure in large type with a line below."""
    return f'<div class="tile"><b>{value}</b><span>{label}</span></div>'


def share_text(share: Share) -> str:
    """`99.6 %` with its interval in small type."""
    return f"{100 * share.value:.1f} %"


def interval_text(share: Share) -> str:
    """`98.9 to 99.8, 1000 tried`."""
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}, {share.trials} tried"


def recogniser_section(reading: ReadingResult) -> str:
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
