"""What an evaluation leaves behind, as one value and as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import Entry, entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.generators.verdict import misread_classes
from captcha_lab.evaluate.grade import Grade, graded
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.evaluate.reading.texts import TextResult
from captcha_lab.metrics.samples.measure import measures
from captcha_lab.store.plain import plain
from captcha_lab.version import __version__


@dataclass(frozen=True)
class Report:
    """Everything an evaluation found, and how to get it again.

    Attributes:
        verdict: the one sentence.
        evaluation: of generators or printed grids, or None.
        reading: of the recogniser on glyphs, or None.
        dataset: its name.
        command: the command line that reproduces it.
        notes: what could not be measured, and why; one line each.
        texts: of the reader on whole captchas, or None.
        reader: name of the run that reads.
        date: of the evaluation, as people write it.
        seconds: it took.
    """

    verdict: str
    evaluation: Evaluation | None
    reading: GlyphResult | None
    dataset: str
    command: str
    notes: list[str] = field(default_factory=list)
    texts: TextResult | None = None
    reader: str = ""
    date: str = ""
    seconds: float = 0.0


# Of a reader, by the share of whole captchas (or of new glyphs) that it reads.
READING_GRADES = (
    (0.99, "reads nearly everything"),
    (0.95, "reads all but a few in a hundred"),
    (0.80, "errs in up to a fifth"),
    (0.50, "errs in up to half"),
    (0.0, "errs in more than half"),
)


def report_grade(report: Report) -> Grade | None:
    """The best candidate's grade, else the reader's; None where nothing was measured."""
    if report.evaluation is not None and report.evaluation.results:
        return report.evaluation.results[0].verdict.grade
    share = report.texts.captchas if report.texts else report.reading.main if report.reading else None
    return None if share is None or not share.trials else graded(share.value, READING_GRADES)


def verdict_sentence(
    evaluation: Evaluation | None, reading: GlyphResult | None, texts: TextResult | None = None
) -> str:
    """The best candidate's sentence, else the reader's figures, the worst first."""
    if evaluation is not None and evaluation.results:
        board = entries(evaluation.results)
        lead = f"Best of {len(board)}: " if len(board) > 1 else ""
        return lead + board[0].members[0].verdict.sentence.removesuffix(".") + _over_seeds(board[0]) + "."
    said = [_said_of_texts(texts)] if texts is not None else []
    said += [_said_of_glyphs(reading, whole=texts is None)] if reading is not None else []
    return " ".join(said) or "There was nothing to evaluate."


def _said_of_texts(texts: TextResult) -> str:
    share = texts.captchas
    return (
        f"The {texts.kind} reader reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) of "
        f"{share.trials} unseen captchas; its character error rate is {100 * texts.error_rate:.2f} %."
    )


def _said_of_glyphs(reading: GlyphResult, whole: bool) -> str:
    share, captchas = reading.main, reading.captchas
    known = whole and captchas is not None and captchas.trials
    also = f" and {100 * captchas.value:.1f} % of whole captchas" if known and captchas is not None else ""
    worst = misread_classes(dict(zip(reading.classes, reading.per_class, strict=True)))
    bad = ", ".join(f"{name} ({100 * part.value:.0f} %)" for name, part in list(worst.items())[:5])
    lead = f"The recogniser hardly reads {bad}; overall it reads" if bad else "The recogniser reads"
    kind = "glyphs, all of which repeat training glyphs: a look-up table reads this captcha"
    return (
        f"{lead} {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) of {share.trials} "
        f"{kind if reading.repeats else 'unseen glyphs'}{also}."
    )


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
        "grade": report_grade(report),
        "reader": report.reader,
        "date": report.date,
        "seconds": round(report.seconds, 1),
        "version": __version__,
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
    if report.texts is not None:
        facts["texts"] = _texts(report.texts)
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
        "grade": result.verdict.letter,
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


def _texts(texts: TextResult) -> dict[str, Any]:
    facts = {
        f.name: getattr(texts, f.name)
        for f in dataclasses.fields(texts)
        if f.name not in ("errors", "examples")
    }
    facts["expected_calibration_error"] = texts.calibration.expected_error
    facts["errors"] = [
        [one.truth, one.reading.text, round(one.reading.confidence, 4)] for one in texts.errors
    ]
    return facts
