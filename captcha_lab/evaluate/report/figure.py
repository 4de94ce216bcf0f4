"""A report as one matplotlib figure."""

from __future__ import annotations

from matplotlib.figure import Figure

from captcha_lab.evaluate.report.board import shown_measures
from captcha_lab.evaluate.report.report import Report

Row = tuple[str, float, float, float, float | None]  # name, share, its interval's ends, share of real images


def report_figure(report: Report) -> Figure:
    """Every share of the report in %, with its interval; a tick marks what real images score in its place."""
    rows = _of_readers(report) + _of_samples(report)
    figure = Figure(figsize=(7, 1 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for k, (_, value, low, high, real) in enumerate(rows):
        axes.barh(k, 100 * value, color="#3b82c4")
        axes.plot([100 * low, 100 * high], [k, k], color="#333333")
        if real is not None:
            axes.plot([100 * real] * 2, [k - 0.4, k + 0.4], color="#d9822b", linewidth=3)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set(xlim=(0, 101), xlabel="%", title="Measured shares (orange: real images)")
    axes.invert_yaxis()
    return figure


def _of_readers(report: Report) -> list[Row]:
    shares = []
    if report.texts is not None:
        shares += [
            ("captchas read right", report.texts.captchas),
            ("characters read right", report.texts.characters),
        ]
    if report.reading is not None:
        shares += [("glyphs read right", report.reading.main)]
    return [(name, share.value, share.low, share.high, None) for name, share in shares if share.trials]


def _of_samples(report: Report) -> list[Row]:
    if report.evaluation is None or not report.evaluation.results:
        return []
    best = report.evaluation.results[0]
    rows: list[Row] = []
    for measure in shown_measures(report.evaluation):
        found, real = best.figures.get(measure.key), best.baseline.get(measure.key)
        if measure.style == "share" and found is not None:
            low = found.value if found.low is None else found.low
            high = found.value if found.high is None else found.high
            name = f"{best.name}: {measure.heading or measure.title}"
            rows.append((name, found.value, low, high, None if real is None else real.value))
    return rows
