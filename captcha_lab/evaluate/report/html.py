"""The report as one HTML page that needs no network: tables and pictures inline, light and dark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

import numpy as np

from captcha_lab.evaluate.generators.attributes import AttributeResult
from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.generators.stream import Shown
from captcha_lab.evaluate.page.html import page, table
from captcha_lab.evaluate.page.plots import confusion_plot
from captcha_lab.evaluate.reading.section import recogniser_section
from captcha_lab.evaluate.report.board import shown_measures
from captcha_lab.evaluate.report.curves import learning_curves
from captcha_lab.evaluate.report.report import Report
from captcha_lab.evaluate.report.samples import attribute_sheet, contact_sheet, neighbour_pairs, walks
from captcha_lab.metrics.samples.measure import Measure, measures
from captcha_lab.store.plain import plain

DETAILED = 6  # candidates shown with samples, neighbours and curves; of the others only the figures


def report_html(report: Report) -> str:
    """The page of an evaluation."""
    parts = [f'<p class="facts">Dataset <b>{escape(report.dataset)}</b></p>']
    if report.evaluation is not None:
        parts += [_leaderboard(report.evaluation)]
        parts += [
            _candidate(result, report.evaluation, number)
            for number, result in enumerate(_detailed(report.evaluation))
        ]
        parts += [_all_measures(report.evaluation)]
    if report.reading is not None:
        parts += [recogniser_section(report.reading)]
    parts += [_method(report)]
    return page("captcha-lab: evaluation", "captcha-lab evaluation", report.verdict, "\n".join(parts))


def _cell(measure: Measure, value: Value | None) -> str:
    if value is None:
        return "–"
    text = measure.show(value.value)
    if value.low is not None and value.high is not None and text != "–":
        text += f"<small>{measure.show(value.low)} to {measure.show(value.high)}</small>"
    return text


def _leaderboard(evaluation: Evaluation) -> str:
    shown = shown_measures(evaluation)
    head = ["", *(f'<abbr title="{escape(m.title)}">{escape(m.brief)}</abbr>' for m in shown)]
    rows: list[tuple[str, Sequence[str]]] = []
    for number, entry in enumerate(entries(evaluation.results)):
        said = f'<small class="fault">{escape(", ".join(entry.faults))}</small>'
        cells = [_cell(m, entry.figures.get(m.key)) for m in shown]
        rows.append(("best" if number == 0 else "", [f"<b>{escape(entry.name)}</b>{said}", *cells]))
        for member in entry.members if entry.seeds > 1 else ():
            cells = [_cell(m, member.figures.get(m.key)) for m in shown]
            rows.append(("member", [escape(member.name), *cells]))
    for count, figures in sorted(evaluation.baselines.items()):
        name = f"baseline: real against real<small>{count} on each side</small>"
        rows.append(("baseline", [name, *(_cell(m, figures.get(m.key)) for m in shown)]))
    legend = "; ".join(
        f"<b>{escape(m.brief)}</b> {escape(_lower(m.title))}: {escape(_lower(m.meaning))}" for m in shown
    )
    return (
        "<h2>Leaderboard</h2>\n<p>The baseline is what held-out real images score in a candidate's place: what is "
        "better than it beyond the intervals is luck or memorised.</p>\n"
        + table(head, rows)
        + "\n<details><summary>What the columns mean</summary>"
        f"<p>{legend}. Below a share stands its 95 % interval (Wilson); for the panel its lowest and highest reader; "
        "for other figures one standard deviation either way, where several seeds were measured. Runs that differ in "
        "their training seed alone are one entry: its mean, one standard deviation over the seeds, and the "
        "runs below.</p></details>"
    )


def _detailed(evaluation: Evaluation) -> list[CandidateResult]:
    """The results shown at length, best first: the user's own runs before printed grids."""
    own_first = sorted(evaluation.results, key=lambda result: "run" not in result.facts)[:DETAILED]
    return [result for result in evaluation.results if any(result is chosen for chosen in own_first)]


def _lower(sentence: str) -> str:
    """A sentence as part of another."""
    return (sentence[0].lower() + sentence[1:]).removesuffix(".")


def _all_measures(evaluation: Evaluation) -> str:
    shown = _detailed(evaluation)
    sizes = sorted(evaluation.baselines)
    head = ["Measure", *(escape(r.name) for r in shown), *(f"real ({n})" for n in sizes)]
    rows: list[tuple[str, Sequence[str]]] = []
    for key, measure in evaluation.measures.items():
        if not any(key in result.figures for result in shown):
            continue
        cells = [_cell(measure, result.figures.get(key)) for result in shown]
        cells += [_cell(measure, evaluation.baselines[n].get(key)) for n in sizes]
        rows.append(("", [f"{escape(measure.title)}<small>{escape(measure.meaning)}</small>", *cells]))
    return "<h2>Every measure</h2>\n" + table(head, rows, "wide")


def _candidate(result: CandidateResult, evaluation: Evaluation, number: int) -> str:
    classes = evaluation.real.classes
    parts = [f"<h2>{escape(result.name)}</h2>\n<p>{escape(result.verdict.sentence)}</p>"]
    if result.stream is not None:
        parts += [_contact_sheet(result.stream.shown, evaluation)]
    if result.attributes is not None:
        parts += [_attributes(result.attributes), attribute_sheet(result.attributes, evaluation.config.sheet)]
    if result.strips:
        parts += [walks(result.strips)]
    if result.neighbours is not None:
        parts += [neighbour_pairs(result.neighbours)]
    curves = learning_curves(result.facts.get("history", ()), str(number))
    if curves:
        parts += [f'<h3>Learning curves</h3>\n<div class="plot">{curves}</div>']
    if result.confusion is not None and len(classes) > 1:
        picture = confusion_plot(result.confusion, classes, str(number))
        parts += [
            f'<details><summary>What was read for each class</summary><div class="plot matrix">{picture}</div>'
        ]
        parts += [_per_class(result, classes), "</details>"]
    facts = {key: value for key, value in result.facts.items() if key != "history"}
    if facts:
        text = json.dumps(plain(facts), indent=1, ensure_ascii=False)
        parts += [f"<details><summary>Configuration</summary><pre>{escape(text)}</pre></details>"]
    return "\n".join(parts)


def _contact_sheet(shown: Shown, evaluation: Evaluation) -> str:
    independent = [name for name, reader in evaluation.readers.items() if reader.independent]
    return contact_sheet(shown, evaluation.real, evaluation.config.sheet, independent)


def _attributes(found: AttributeResult) -> str:
    show = measures()["attributes"].show
    rows = [
        (
            "",
            [
                escape(a.name),
                f"{show(a.share.value)}<small>{show(a.share.low)} to {show(a.share.high)}</small>",
                show(a.chance),
                f"{show(a.real.value)}<small>{show(a.real.low)} to {show(a.real.high)}</small>",
                show(a.asked),
            ],
        )
        for a in found.agreements
    ]
    head = [
        "attribute",
        "read as asked (%)",
        "by chance (%)",
        "read rightly off real ones (%)",
        "asked for (%)",
    ]
    return "<h3>Attributes</h3>\n" + table(head, rows)


def _per_class(result: CandidateResult, classes: Sequence[str]) -> str:
    order = np.argsort([share.value for share in result.per_class], kind="stable")
    show = measures()["gan_test"].show
    rows = [
        (
            "",
            [
                escape(str(classes[k])),
                f"{show(result.per_class[k].value)}"
                f"<small>{show(result.per_class[k].low)} to {show(result.per_class[k].high)}</small>",
                str(result.per_class[k].trials),
            ],
        )
        for k in order[:8]
    ]
    return "<h3>Hardest classes</h3>\n" + table(["class", "read as asked (%)", "samples"], rows)


def _method(report: Report) -> str:
    items = [("Command", f"<code>{escape(report.command)}</code>")]
    e = report.evaluation
    if e is not None:
        seeds = f"{e.config.seed}" + (
            f" to {e.config.seed + e.config.seeds - 1}" if e.config.seeds > 1 else ""
        )
        items += [
            (
                "Real images",
                f"{len(e.real.train)} for training, {len(e.real.held)} held out, no exact duplicates",
            ),
            ("Features", ", ".join(escape(name) for name in e.extractors)),
            ("Neighbours", f"k = {e.config.neighbours} for precision, recall, density and coverage"),
            ("Seeds", seeds),
        ]
        for name, reader in e.readers.items():
            text = reader.role
            if reader.accuracy is not None:
                share = reader.accuracy
                text += (
                    f" It reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) "
                )
                text += "of held-out real glyphs."
            items += [(name.capitalize(), escape(text))]
    body = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in items)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f"<h2>How this was measured</h2>\n<dl>{body}</dl>" + (f"<ul>{notes}</ul>" if notes else "")
