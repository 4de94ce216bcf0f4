"""One candidate at length: its verdict, its weakest classes, its samples, its curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from captcha_lab.evaluate.generators.attributes import AttributeResult
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.page.html import badge, framed, share_cell, table
from captcha_lab.evaluate.page.plots import STYLE, WORST, confusion_section, svg
from captcha_lab.evaluate.report.samples import (
    attribute_sheet,
    contact_sheet,
    growth,
    neighbour_pairs,
    text_sheet,
    walks,
)
from captcha_lab.store.plain import plain


def candidate_section(result: CandidateResult, evaluation: Evaluation, number: int) -> str:
    """The section of one candidate; `number` keeps the ids of its plots apart from others'."""
    verdict = result.verdict
    parts = [f"<h2>{escape(result.name)}</h2>"]
    if len(evaluation.results) > 1:  # of a single one the head of the page says it
        parts += [badge(verdict.grade), f"<p>{escape(verdict.sentence)}</p>"]
    if result.confusion is not None and len(evaluation.real.classes) > 1:
        parts += [_weakest(result, result.confusion, evaluation.real.classes, number)]
    if result.stream is not None and result.texts is None:
        independent = [name for name, reader in evaluation.readers.items() if reader.independent]
        parts += [contact_sheet(result.stream.shown, evaluation.real, independent)]
    if result.attributes is not None:
        parts += [_attributes(result.attributes), attribute_sheet(result.attributes, evaluation.config.sheet)]
    if result.texts is not None:
        parts += [text_sheet(result.texts)]
    if result.training is not None:
        parts += [growth(result.training)]
    parts += [walks(result.strips)]
    if result.neighbours is not None:
        parts += [neighbour_pairs(result.neighbours)]
    if result.training is not None:
        parts += [_plot("Learning curves", result.training.curves, f"curves-{number}")]
        parts += [_plot("The critic's weights, layer by layer", result.training.weights, f"weights-{number}")]
    facts = {key: value for key, value in result.facts.items() if key != "history"}
    if facts:
        text = json.dumps(plain(facts), indent=1, ensure_ascii=False)
        parts += [f"<details><summary>Configuration</summary><pre>{escape(text)}</pre></details>"]
    return "\n".join(filter(None, parts))


def _plot(title: str, draw: Callable[[], Figure | None], name: str) -> str:
    """A figure under a title, in the page's style; "" where there is nothing to draw."""
    with mpl.rc_context(STYLE):
        figure = draw()
        if figure is None:
            return ""
        return f"<h3>{title}</h3>\n{framed(svg(figure, name, title.lower()))}"


def _weakest(
    result: CandidateResult, confusion: NDArray[np.int64], classes: Sequence[str], number: int
) -> str:
    """The classes read worst, and what they are taken for."""
    order = [int(k) for k in np.argsort([share.value for share in result.per_class], kind="stable")]
    worst = [k for k in order if result.per_class[k].value < 1][:WORST]
    if not worst:
        return "<p>Every sample was read as the class that was asked for.</p>"
    rows = [
        ("", [escape(str(classes[k])), share_cell(result.per_class[k]), _taken_for(confusion[k], classes, k)])
        for k in worst
    ]
    return (
        "<h3>Classes that are read worst</h3>\n"
        f'<div class="columns">{table(["class", "read as asked", "most often read as"], rows)}'
        f"{confusion_section(confusion, classes, str(number))}</div>"
    )


def _taken_for(row: NDArray[np.int64], classes: Sequence[str], right: int) -> str:
    others = [int(k) for k in np.argsort(-row, kind="stable") if k != right and row[k]][:2]
    return ", ".join(f"{escape(str(classes[k]))} ({row[k]})" for k in others)


def _attributes(found: AttributeResult) -> str:
    rows = [
        (
            "",
            [
                escape(a.name),
                share_cell(a.share),
                f"{100 * a.chance:.1f} %",
                share_cell(a.real),
                f"{100 * a.asked:.1f} %",
            ],
        )
        for a in found.agreements
    ]
    head = ["attribute", "read as asked", "by chance", "read right off real ones", "asked for"]
    return "<h3>Attributes</h3>\n" + table(head, rows)
