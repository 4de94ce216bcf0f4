"""A model card: what was evaluated, when, on what, at which cost, for which use, and what it can't say."""

from __future__ import annotations

from html import escape
from typing import Any

from captcha_lab.evaluate.generators.result import CandidateResult
from captcha_lab.evaluate.page.html import facts
from captcha_lab.evaluate.report.report import Report
from captcha_lab.version import __version__

USE = (
    "Teaching and research: how recognisers and generators learn, and how strong a captcha is that one owns or may "
    "test. Not for getting past a captcha of others."
)


def model_card(report: Report) -> str:
    """The card as a section of the page."""
    items = [(name, text) for name, text in card_items(report) if text]
    return f'<section class="card"><h2>Model card</h2>\n{facts(items)}</section>'


def card_items(report: Report) -> list[tuple[str, str]]:
    """Names and HTML texts of the card's lines."""
    best = report.evaluation.results[0] if report.evaluation and report.evaluation.results else None
    return [
        ("Model", escape(best.name if best else report.reader)),
        ("Trained", escape(_training(best.facts)) if best else ""),
        ("Read by", escape(report.reader) if best else ""),
        ("Data", escape(_data(report))),
        (
            "Evaluated",
            escape(", ".join(filter(None, (report.date, f"captcha-lab {__version__}", _seconds(report))))),
        ),
        ("Command", f"<code>{escape(report.command)}</code>"),
        ("Intended use", USE),
        ("Limits", escape(" ".join(_limits(report, best)))),
    ]


def _training(facts: dict[str, Any]) -> str:
    config, history = facts.get("config") or {}, facts.get("history") or ()
    last: dict[str, Any] = next((row for row in reversed(history) if "iteration" in row), {})
    parts = [f"recipe {facts['recipe']}" if facts.get("recipe") else ""]
    parts += [f"{last['iteration']:,} iterations" if last else ""]
    parts += [f"{last['seconds']:,.0f} s" if "seconds" in last else ""]
    seed = (config.get("train") or {}).get("seed")
    return ", ".join(filter(None, [*parts, f"seed {seed}" if seed is not None else ""]))


def _data(report: Report) -> str:
    if report.evaluation is None:
        return report.dataset
    real = report.evaluation.real
    kinds = f" of {len(real.classes)} classes" if real.labelled else ""
    return f"{report.dataset}: {len(real.train):,} images{kinds} for training, {len(real.held):,} held out"


def _seconds(report: Report) -> str:
    return f"in {report.seconds:,.0f} s" if report.seconds else ""


def _limits(report: Report, best: CandidateResult | None) -> list[str]:
    """What the figures don't say, from the report itself."""
    said = ["Every figure is of this one data set and says nothing of other fonts, sizes or languages."]
    if best is not None and best.verdict.faults:
        said.append(f"Known faults: {', '.join(best.verdict.faults)}.")
    if report.evaluation is not None and len(report.evaluation.real.held) < 500:
        said.append(f"Only {len(report.evaluation.real.held)} images were held out: distances are rough.")
    trials = report.texts.captchas.trials if report.texts else 0
    if 0 < trials < 200:
        said.append(f"Only {trials} test captchas were labelled: the intervals are wide.")
    return said
