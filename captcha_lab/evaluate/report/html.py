"""The report as one HTML page that needs no network: tables and pictures inline, light and dark, also in print."""

from __future__ import annotations

from html import escape

from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.page.html import facts, page
from captcha_lab.evaluate.reading.section import glyph_section, text_section
from captcha_lab.evaluate.report.candidate import candidate_section
from captcha_lab.evaluate.report.card import model_card
from captcha_lab.evaluate.report.report import Report, report_grade
from captcha_lab.evaluate.report.tables import every_measure, leaderboard

DETAILED = 6  # candidates shown with samples, neighbours and curves; of the others only the figures


def report_html(report: Report) -> str:
    """The page of an evaluation."""
    when = f", {escape(report.date)}" if report.date else ""
    parts = [f'<p class="facts">Dataset <b>{escape(report.dataset)}</b>{when}</p>']
    if report.evaluation is not None:
        detailed = _detailed(report.evaluation)
        parts += [leaderboard(report.evaluation)]
        parts += [candidate_section(result, report.evaluation, k) for k, result in enumerate(detailed)]
        parts += [every_measure(report.evaluation, detailed)]
    if report.texts is not None:
        parts += [text_section(report.texts)]
    if report.reading is not None:
        parts += [glyph_section(report.reading)]
    parts += [model_card(report), _method(report)]
    return page("captcha-lab evaluation", report.verdict, report_grade(report), "\n".join(parts))


def _detailed(evaluation: Evaluation) -> list[CandidateResult]:
    """The results shown at length, best first: the user's own runs before printed grids."""
    own_first = sorted(evaluation.results, key=lambda result: "run" not in result.facts)[:DETAILED]
    return [result for result in evaluation.results if any(result is chosen for chosen in own_first)]


def _method(report: Report) -> str:
    items: list[tuple[str, str]] = []
    e = report.evaluation
    if e is not None:
        last = e.config.seed + e.config.seeds - 1
        items += [
            (
                "Real images",
                f"{len(e.real.train)} for training, {len(e.real.held)} held out, no exact duplicates",
            ),
            ("Features", ", ".join(escape(name) for name in e.extractors)),
            ("Neighbours", f"k = {e.config.neighbours} for precision, recall, density and coverage"),
            ("Seeds", f"{e.config.seed}" + (f" to {last}" if e.config.seeds > 1 else "")),
        ]
        for name, reader in e.readers.items():
            text = reader.role
            if (share := reader.accuracy) is not None:
                text += (
                    f" It reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) "
                )
                text += "of held-out real glyphs."
            items += [(name.capitalize(), escape(text))]
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    if not items and not notes:
        return ""
    return f"<h2>How this was measured</h2>\n{facts(items)}" + (f"<ul>{notes}</ul>" if notes else "")
