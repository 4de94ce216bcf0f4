"""What an evaluation leaves behind: `report.json` and one self-contained `report.html`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captcha_lab.evaluate.core import CandidateResult, Evaluation
from captcha_lab.evaluate.measures import MEASURES, Value
from captcha_lab.evaluate.reading import ReadingResult
from captcha_lab.store.files import write_bytes


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
    reading: ReadingResult | None
    dataset: str
    command: str
    notes: list[str] = field(default_factory=list)


def verdict_sentence(evaluation: Evaluation | None, reading: ReadingResult | None) -> str:
    """The best candidate's sentence, else the recogniser's figure."""
    if evaluation is not None and evaluation.results:
        best = evaluation.results[0]
        others = len(evaluation.results) - 1
        lead = f"Best of {others + 1}: " if others else ""
        return lead + best.verdict.sentence
    if reading is not None:
        share = reading.glyphs_distinct
        whole = f" and {100 * reading.captchas.value:.1f} % of whole captchas" if reading.captchas else ""
        return (
            f"The recogniser reads {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) "
            f"of {share.trials} unseen glyphs{whole}."
        )
    return "There was nothing to evaluate."


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
            "judge_accuracy": e.judge_accuracy,
            "counter_reader_accuracy": e.counter_accuracy,
            "real": {
                "train": len(e.real.train),
                "held_out": len(e.real.held),
                "classes": list(e.real.classes),
                "attributes": list(e.real.attribute_names),
            },
            "floors": {str(n): _values(floor) for n, floor in e.floors.items()},
            "leaderboard": [_candidate(result, e.real.classes) for result in e.results],
        }
    if report.reading is not None:
        facts["recogniser"] = _reading(report.reading)
    result: dict[str, Any] = plain(facts)
    return result


def _values(figures: dict[str, Value]) -> dict[str, Any]:
    return {key: dataclasses.asdict(figures[key]) for key in MEASURES if key in figures}


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


def _reading(reading: ReadingResult) -> dict[str, Any]:
    facts = {f.name: getattr(reading, f.name) for f in dataclasses.fields(reading)}
    facts["expected_calibration_error"] = reading.calibration.expected_error
    facts["per_class"] = dict(zip(reading.classes, reading.per_class, strict=True))
    return facts


def plain(value: Any) -> Any:
    """Anything a report holds, as JSON types; NaN becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into a folder, which is made.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    from captcha_lab.evaluate.html import report_html

    json_path, html_path = folder / "report.json", folder / "report.html"
    text = json.dumps(report_json(report), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(json_path, (text + "\n").encode())
    write_bytes(html_path, report_html(report).encode())
    return json_path, html_path
