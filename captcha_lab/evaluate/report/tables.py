"""The report's tables of figures: the leaderboard, and every measure of the candidates shown at length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.page.html import heading, legend, table
from captcha_lab.evaluate.report.board import shown_measures
from captcha_lab.metrics.samples.measure import GROUPS, Measure

TITLES = {
    "reading": "What is read",
    "distance": "Distance from real images",
    "diversity": "Variety",
    "detail": "Sharpness",
    "copies": "Copies of training images",
}
NOTE = (
    "Below a share stands its 95 % interval (Wilson), for a panel its lowest and highest reader, for other figures one "
    "standard deviation either way where several seeds were measured. Runs that differ in their training seed alone "
    "are one entry: its mean, one standard deviation over the seeds, and the runs below."
)


def leaderboard(evaluation: Evaluation) -> str:
    """Every candidate with the most telling figures, best first, the baseline last."""
    shown = shown_measures(evaluation)
    head = ["candidate", *(heading(_head(measure), _meaning(measure)) for measure in shown)]
    rows: list[tuple[str, Sequence[str]]] = []
    for number, entry in enumerate(entries(evaluation.results)):
        said = f'<small class="fault">{escape(", ".join(entry.faults))}</small>'
        letter = f"<b>{escape(entry.members[0].verdict.letter)}</b> " if entry.seeds == 1 else ""
        name = f"{letter}<b>{escape(entry.name)}</b>{said}"
        rows.append(("best" if number == 0 else "", [name, *_cells(entry.figures, shown)]))
        for member in entry.members if entry.seeds > 1 else ():
            name = f"<b>{escape(member.verdict.letter)}</b> {escape(member.name)}"
            rows.append(("member", [name, *_cells(member.figures, shown)]))
    for count, figures in sorted(evaluation.baselines.items()):
        name = f"real images<small>{count} against as many others: the baseline</small>"
        rows.append(("baseline", [name, *_cells(figures, shown)]))
    return (
        "<h2>Leaderboard</h2>\n<p>The baseline is what held-out real images score in a candidate's place. What is "
        "better than it beyond the intervals is luck or memorised.</p>\n"
        + table(head, rows)
        + legend({_head(measure): _meaning(measure) for measure in shown} | {"Intervals": NOTE})
    )


def every_measure(evaluation: Evaluation, shown: Sequence[CandidateResult]) -> str:
    """All figures of some candidates beside the baseline, a table for each group of measures."""
    sizes = sorted(evaluation.baselines)
    head = ["measure", *(escape(result.name) for result in shown), *(f"real ({size})" for size in sizes)]
    parts = []
    for group in GROUPS:
        known = [
            measure
            for key, measure in evaluation.measures.items()
            if measure.group == group and any(key in result.figures for result in shown)
        ]
        columns = [result.figures for result in shown] + [evaluation.baselines[size] for size in sizes]
        rows = [
            (
                "",
                [
                    f"{escape(measure.title)}<small>{escape(_explained(measure))}</small>",
                    *(cell(measure, figures.get(measure.key)) for figures in columns),
                ],
            )
            for measure in known
        ]
        parts += [f"<h3>{TITLES[group]}</h3>\n{table(head, rows, 'wide')}"] if rows else []
    return "<h2>Every measure</h2>\n" + "\n".join(parts)


def cell(measure: Measure, value: Value | None) -> str:
    """A figure with its interval in small type; a dash where there is none."""
    if value is None:
        return "–"
    text = measure.show(value.value)
    if value.low is not None and value.high is not None and text != "–":
        text += f"<small>{measure.show(value.low)} to {measure.show(value.high)}</small>"
    return text


def _cells(figures: Mapping[str, Value], measures: Sequence[Measure]) -> list[str]:
    return [cell(measure, figures.get(measure.key)) for measure in measures]


def _head(measure: Measure) -> str:
    return (measure.heading or measure.title) + (" (%)" if measure.style == "share" else "")


def _meaning(measure: Measure) -> str:
    explained = _explained(measure)
    return f"{measure.title}: {explained[0].lower()}{explained[1:]}"


def _explained(measure: Measure) -> str:
    return f"{measure.meaning} {measure.direction.capitalize()}."
