"""Runs that differ in their training seed alone, taken together: one seed may be lucky, a recipe should not be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.result import CandidateResult
from captcha_lab.evaluate.generators.verdict import ranking
from captcha_lab.metrics.intervals import spread

# What of a run's training decides its outcome, the seed apart.
_TRAINING = ("iterations", "max_seconds", "evaluations", "samples", "precision")


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard: a single candidate, or the training seeds of one recipe.

    Attributes:
        name: the candidate's; of several runs the recipe, its length and the number of seeds.
        members: best first.
        figures: the candidate's; of several runs mean and one standard deviation either way, over the seeds.
        faults: the candidate's; of several runs each with the number of runs that have it.
    """

    name: str
    members: tuple[CandidateResult, ...]
    figures: dict[str, Value]
    faults: tuple[str, ...]

    @property
    def seeds(self) -> int:
        """Training seeds taken together."""
        return len(self.members)

    @property
    def order(self) -> tuple[bool, float]:
        """Sort key: the middle member's chance to win, and the mean distance (see `verdict.ranking`)."""
        out = sum(member.verdict.disqualified for member in self.members)
        return 2 * out >= len(self.members), ranking(self.figures, self.members[0].verdict)[1]


def family(facts: Mapping[str, Any]) -> str | None:
    """What runs that repeat one training have in common; None for a candidate that is no run."""
    config = facts.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("recipe"), dict):
        return None
    train = config.get("train") or {}
    same = [config["recipe"], {key: train.get(key) for key in _TRAINING}]
    return json.dumps([*same, config.get("dataset"), config.get("attributes")], sort_keys=True, default=str)


def training_seed(facts: Mapping[str, Any]) -> int | None:
    """The seed a run was trained with."""
    config = facts.get("config")
    train = config.get("train") if isinstance(config, dict) else None
    return train.get("seed") if isinstance(train, dict) else None


def entries(results: Iterable[CandidateResult]) -> list[Entry]:
    """The lines of the leaderboard, best first."""
    families: dict[str, list[CandidateResult]] = {}
    for number, result in enumerate(results):
        families.setdefault(family(result.facts) or f"alone {number}", []).append(result)
    found: list[Entry] = []
    for members in families.values():
        members.sort(key=lambda result: ranking(result.figures, result.verdict))
        if len({training_seed(member.facts) for member in members}) == len(members) > 1:
            found.append(_together(members))
        else:
            found += [Entry(m.name, (m,), m.figures, m.verdict.faults) for m in members]
    return sorted(found, key=lambda entry: entry.order)


def _together(members: Sequence[CandidateResult]) -> Entry:
    figures = {}
    for key in members[0].figures:
        if all(key in member.figures for member in members):
            over = spread([member.figures[key].value for member in members])
            figures[key] = Value(over.mean, over.mean - over.deviation, over.mean + over.deviation)
    counts = Counter(fault for member in members for fault in member.verdict.faults)
    faults = tuple(f"{fault} ({count} of {len(members)})" for fault, count in counts.items())
    return Entry(_name(members), tuple(members), figures, faults)


def _name(members: Sequence[CandidateResult]) -> str:
    config = members[0].facts["config"]
    train = config.get("train") or {}
    if train.get("max_seconds"):
        length = f", {train['max_seconds']:g} s"
    else:
        length = f", {train['iterations']} iterations" if train.get("iterations") else ""
    return f"{config['recipe'].get('name', 'recipe')}{length}: {len(members)} seeds"
