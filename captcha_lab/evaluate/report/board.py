"""An evaluation as text of a terminal's width."""

from __future__ import annotations

from collections.abc import Mapping

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import Entry, entries
from captcha_lab.evaluate.generators.result import Evaluation
from captcha_lab.evaluate.report.report import Report, report_grade
from captcha_lab.metrics.samples.measure import Measure

WIDTH = 80  # columns
NAME = 16  # columns for names below which figures move closer together


def report_lines(report: Report) -> list[str]:
    """Verdict and grade, leaderboard, figures of the readers, notes."""
    grade, lines = report_grade(report), [report.verdict]
    lines += [f"Grade {grade.letter} of A to F: {grade.meaning}."] if grade else []
    if report.evaluation is not None:
        lines += ["", *board_lines(report.evaluation), ""]
        lines += [f"{e.name}: {', '.join(e.faults)}" for e in entries(report.evaluation.results) if e.faults]
    texts, glyphs = report.texts, report.reading
    if texts is not None:
        lines += [
            f"Captchas, by the {texts.kind} reader: {texts.captchas} right; {texts.characters} of "
            f"characters; character error rate {100 * texts.error_rate:.2f} %; {texts.speed:,.0f} a CPU-second"
        ]
        if texts.curve:
            points = ", ".join(f"{100 * p.share.value:.1f} % with {p.captchas}" for p in texts.curve)
            lines += [f"By the number of labels, a reader of whole captchas: {points}"]
    if glyphs is not None:
        known = "test glyphs" if glyphs.repeats else "test glyphs that are new to it"
        lines += [
            f"Glyphs, by the recogniser: {glyphs.main} of {known} right; confidence off by "
            f"{100 * glyphs.calibration.expected_error:.2f} %; {glyphs.speed:,.0f} a CPU-second"
        ]
        if texts is None and glyphs.captchas is not None and glyphs.captchas.trials:
            lines += [f"Whole captchas: {glyphs.captchas}"]
    return [*lines, *(f"Note: {note}" for note in report.notes)]


def shown_measures(evaluation: Evaluation) -> list[Measure]:
    """The measures of the leaderboard that any candidate has."""
    return [
        measure
        for key, measure in evaluation.measures.items()
        if measure.brief and any(key in result.figures for result in evaluation.results)
    ]


def board_lines(evaluation: Evaluation, width: int = WIDTH) -> list[str]:
    """Best first; shares in %, the baseline (held-out real images) last; several training seeds with their spread.

    A name that leaves no room for its figures stands on a line of its own: none is cut off.
    """
    measures = shown_measures(evaluation)
    rows: list[tuple[str, list[str]]] = []
    for entry in entries(evaluation.results):
        rows += _rows(entry, measures)
    baselines = [
        (f"real ({count})", _cells(figures, measures))
        for count, figures in sorted(evaluation.baselines.items())
    ]
    widths = [
        max(len(measure.brief), *(len(cells[k]) for _, cells in [*rows, *baselines]))
        for k, measure in enumerate(measures)
    ]
    left = width - 1 - sum(widths)
    gap = 2 if left - 2 * len(widths) >= NAME else 1
    room = left - gap * len(widths)
    first = max([len(name) for name, _ in [*rows, *baselines] if len(name) <= room], default=0)

    def line(name: str, cells: list[str]) -> str:
        return f" {name:{first}}" + "".join(
            f"{cell:>{w + gap}}" for cell, w in zip(cells, widths, strict=True)
        )

    lines = [line("", [measure.brief for measure in measures])]
    rule = " " + "─" * (len(lines[0]) - 1)
    lines.append(rule)
    for name, cells in rows:
        lines += [line(name, cells)] if len(name) <= first else [f" {name}", line("", cells)]
    lines.append(rule)
    return [*lines, *(line(name, cells) for name, cells in baselines)]


def _rows(entry: Entry, measures: list[Measure]) -> list[tuple[str, list[str]]]:
    rows = [(entry.name, _cells(entry.figures, measures))]
    if entry.seeds > 1:
        rows.append(("  ± over seeds", _spreads(entry.figures, measures)))
        rows += [(f"  {member.name}", _cells(member.figures, measures)) for member in entry.members]
    return rows


def _cells(figures: Mapping[str, Value], measures: list[Measure]) -> list[str]:
    return [m.show(figures[m.key].value) if m.key in figures else "–" for m in measures]


def _spreads(figures: Mapping[str, Value], measures: list[Measure]) -> list[str]:
    values = [figures.get(m.key) for m in measures]
    return [
        "–" if v is None or v.high is None else m.show(v.high - v.value)
        for m, v in zip(measures, values, strict=True)
    ]
