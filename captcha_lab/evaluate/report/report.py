"""What an evaluation leaves behind, as one value and as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import Entry, entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.metrics.samples.measure import measures
from captcha_lab.store.plain import plain


@dataclass(frozen=True)
class Report:
    """Everything an evaluation found, and how to get it again.

    Attributes:
        verdict: the one sentence.
        evaluation: of generators or printed grids, or None.
        reading: of the recogniser, or None.
        dataset: its name.
        command: the command line that reproduces it.
        notes: what could not be measured, and why; one line each.
    """

    verdict: str
    evaluation: Evaluation | None
    reading: GlyphResult | None
    dataset: str
    command: str
    notes: list[str] = field(default_factory=list)


def verdict_sentence(evaluation: Evaluation | None, reading: GlyphResult | None) -> str:
    """The best candidate's sentence, else the recogniser's figure."""
    if evaluation is not None and evaluation.results:
        board = entries(evaluation.results)
        lead = f"Best of {len(board)}: " if len(board) > 1 else ""
        return lead + board[0].members[0].verdict.sentence.removesuffix(".") + _over_seeds(board[0]) + "."
    if reading is not None:
        share = reading.glyphs_distinct
        whole = f" and {100 * reading.captchas.value:.1f} % of whole captchas" if reading.captchas else ""
        return (
            f"The recogniser reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) "
            f"of {share.trials} unseen glyphs{whole}."
        )
    return "There was nothing to evaluate."


def _over_seeds(entry: Entry) -> str:
    """What the other training seeds of the best recipe came to."""
    if entry.seeds < 2:
        return ""
    keys = [key for key in ("gan_test", "frechet", "attribute_frechet") if key in entry.figures]
    said = []
    for key in keys:
        measure, value = measures()[key], entry.figures[key]
        unit = " %" if measure.style == "share" else ""
        deviation = (value.high or value.value) - value.value
        said.append(f"{measure.title} {measure.show(value.value)} ± {measure.show(deviation)}{unit}")
    return f"; all {entry.seeds} training seeds of its recipe come to {' and '.join(said)}" if said else ""


def report_json(report: Report) -> dict[str, Any]:
    """The report as JSON types; no images."""
    facts: dict[str, Any] = {
        "verdict": report.verdict,
        "dataset": report.dataset,
        "command": report.command,
        "notes": report.notes,
    }
    if report.evaluation is not None:
        e = report.evaluation
        facts |= {
            "config": dataclasses.asdict(e.config),
            "extractors": list(e.extractors),
            "readers": {
                name: {"role": reader.role, "accuracy": reader.accuracy} for name, reader in e.readers.items()
            },
            "real": {
                "train": len(e.real.train),
                "held_out": len(e.real.held),
                "classes": list(e.real.classes),
                "attributes": list(e.real.attribute_names),
            },
            "floors": {str(n): _values(figures) for n, figures in e.baselines.items()},
            "entries": [_entry(entry) for entry in entries(e.results)],
            "leaderboard": [_candidate(result, e.real.classes) for result in e.results],
        }
    if report.reading is not None:
        facts["recogniser"] = _reading(report.reading)
    result: dict[str, Any] = plain(facts)
    return result


def _values(figures: dict[str, Value]) -> dict[str, Any]:
    return {key: dataclasses.asdict(figure) for key, figure in figures.items()}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "training_seeds": entry.seeds,
        "runs": [member.name for member in entry.members],
        "faults": list(entry.faults),
        "figures": _values(entry.figures),
    }


def _candidate(result: CandidateResult, classes: tuple[str, ...]) -> dict[str, Any]:
    facts = {key: value for key, value in result.facts.items() if key != "history"}
    return {
        "name": result.name,
        "sentence": result.verdict.sentence,
        "faults": list(result.verdict.faults),
        "disqualified": result.verdict.disqualified,
        "figures": _values(result.figures),
        "distance_samples": result.distance_samples,
        "read_samples": result.read_samples,
        "per_class": dict(zip(classes, result.per_class, strict=False)),
        "confusion": result.confusion,
        "attributes": [] if result.attributes is None else list(result.attributes.agreements),
        "seconds": round(result.seconds, 2),
        "facts": facts,
    }


def _reading(reading: GlyphResult) -> dict[str, Any]:
    facts = {f.name: getattr(reading, f.name) for f in dataclasses.fields(reading)}
    facts["expected_calibration_error"] = reading.calibration.expected_error
    facts["per_class"] = dict(zip(reading.classes, reading.per_class, strict=True))
    return facts
