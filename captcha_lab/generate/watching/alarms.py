"""Alarms: what can go wrong in a run, noticed while it goes wrong, each raised once, in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What holds for so many log entries in a row and so many iterations is a lasting state.
IN_A_ROW = 5
LASTING = 50
CRITIC_PERFECT = 0.995
GRADIENT_SHARE = 1e-4
# Evaluations: below half of the best there was is a fall; below a fifth of real there never was variety.
FALL = 0.5
POOR = 0.2
NEXT_TO_NOTHING = 0.05
SETTLED, EARLY = 0.5, 100  # share of the run, iterations: until both are over a generator is finding its way
# After that too, as long as variety grows by a seventh in four evaluations: convolutional generators start all alike.
STALL, GROWTH = 4, 1.15
TWICE, THRICE = 2, 3  # evaluations in a row: a single bad one can be chance
DECLINE, SMOOTH = 0.85, 5  # of the best mean recall of five evaluations: single ones differ by a tenth


@dataclass(frozen=True)
class Alarm:
    """One thing that went wrong."""

    kind: str
    """nan, collapse, decline, vanished or critic."""
    iteration: int
    message: str


class Alarms:
    """Watches the logged figures and the evaluations of a run.

    Args:
        iterations: the length of the run.
        saturates: the loss works on probabilities, so that a perfect critic leaves the generator no gradient.
    """

    def __init__(self, iterations: int, saturates: bool) -> None:
        self.iterations = iterations
        self.saturates = saturates
        self.raised: list[Alarm] = []
        self._state: dict[str, float] = {
            "perfect": 0, "perfect_since": 0, "vanished": 0, "vanished_since": 0, "largest_gradient": 0,
            "best_recall": 0, "best_variance": 0, "best_mean": 0, "fallen": 0, "stuck": 0,
        }  # fmt: skip
        self._last: list[list[float]] = []  # recall and variance of the last evaluations

    def training(self, iteration: int, figures: Mapping[str, float]) -> list[Alarm]:
        """Check the figures of a log entry (means since the last one); returns what is newly wrong."""
        found = []
        bad = [name for name, value in figures.items() if not math.isfinite(value)]
        if bad:
            found.append(
                Alarm(
                    "nan",
                    iteration,
                    f"{bad[0]} is not a number any more: the run stops; lower --lr or add a constraint.",
                )
            )
        found += self._critic(iteration, figures.get("critic_accuracy"))
        found += self._gradient(iteration, figures.get("generator_gradient"))
        return self._new(found)

    def evaluation(self, iteration: int, figures: Mapping[str, float]) -> list[Alarm]:
        """Check an evaluation's `recall` and `variance_ratio`; returns what is newly wrong."""
        s = self._state
        recall, variance = figures.get("recall", math.nan), figures.get("variance_ratio", math.nan)
        reasons, alike = [], True
        if recall < FALL * s["best_recall"]:
            reasons.append(f"recall fell from {s['best_recall']:.2f} to {recall:.2f}")
            # What is lost may be variety or quality: noise covers nothing real either.
            alike = variance < FALL * s["best_variance"]
        if variance < FALL * s["best_variance"]:
            reasons.append(f"variance fell from {s['best_variance']:.2f} to {variance:.2f} of real")
        s["fallen"] = s["fallen"] + 1 if reasons else 0
        # Plausible images that reach next to nothing of what is real, or images all alike. (Noise is neither.)
        few = recall < NEXT_TO_NOTHING and figures.get("precision", 0.0) > POOR
        grows = self._grows(recall, variance)
        self._last = [*self._last, [recall, variance]][-SMOOTH:]
        late = iteration >= max(SETTLED * self.iterations, EARLY)
        stuck = late and (few or variance < POOR) and not grows
        s["stuck"] = s["stuck"] + 1 if stuck else 0
        found = "has collapsed" if alike else "has lost part of what is real"
        if stuck and not reasons:
            found = "has collapsed, or has not begun to learn"
            reasons.append(f"recall is only {recall:.2f} and variance {variance:.2f} of real")
        if recall >= POOR:  # before it is any good, a generator's noise has variety too
            s["best_recall"] = max(s["best_recall"], recall)
            s["best_variance"] = max(s["best_variance"], min(1.0, variance) if math.isfinite(variance) else 0)
        lasting = s["fallen"] >= TWICE or s["stuck"] >= THRICE
        if reasons and (lasting or iteration >= self.iterations):
            after = "its samples are too much alike" if alike else "it collapses or falls apart"
            text = f"the generator {found} ({'; '.join(reasons)}): {after}; the best weights are kept."
            return self._new([Alarm("collapse", iteration, text)])
        return self._new(self._decline(iteration))

    def _grows(self, recall: float, variance: float) -> bool:
        """Whether there is more variety than a few evaluations ago."""
        before = self._last[-STALL:][0] if self._last else [0.0, 0.0]
        return recall > GROWTH * before[0] or variance > GROWTH * before[1]

    def _decline(self, iteration: int) -> list[Alarm]:
        """A slow loss, from one evaluation to the next too small to be called one."""
        s, mean = self._state, sum(recall for recall, _ in self._last) / len(self._last)
        if len(self._last) < SMOOTH or math.isnan(mean):
            return []
        s["best_mean"] = max(s["best_mean"], mean)
        if s["best_mean"] < POOR or mean >= DECLINE * s["best_mean"]:
            return []
        text = (
            f"the generator is past its best (recall of the last {SMOOTH} evaluations {mean:.2f} instead of "
            f"{s['best_mean']:.2f}): more iterations make it worse; the best weights are kept."
        )
        return [Alarm("decline", iteration, text)]

    def _critic(self, iteration: int, accuracy: float | None) -> list[Alarm]:
        if accuracy is None or not self.saturates:
            return []
        if not self._lasts("perfect", accuracy >= CRITIC_PERFECT, iteration):
            return []
        text = "the critic is right every time (100 %): the generator learns little from it; try fewer --critic-steps."
        return [Alarm("critic", iteration, text)]

    def _gradient(self, iteration: int, norm: float | None) -> list[Alarm]:
        if norm is None or not math.isfinite(norm):
            return []
        s = self._state
        s["largest_gradient"] = max(s["largest_gradient"], norm)
        if not self._lasts("vanished", norm <= GRADIENT_SHARE * s["largest_gradient"], iteration):
            return []
        text = f"the generator's gradient has vanished (norm {norm:.1e}): it no longer learns."
        return [Alarm("vanished", iteration, text)]

    def _lasts(self, state: str, holds: bool, iteration: int) -> bool:
        """Whether a state that is checked once per log entry has lasted, this entry being the newest."""
        s = self._state
        if not holds:
            s[state] = 0
            return False
        if not s[state]:
            s[f"{state}_since"] = iteration
        s[state] += 1
        return s[state] >= IN_A_ROW and iteration - s[f"{state}_since"] >= LASTING

    def _new(self, found: list[Alarm]) -> list[Alarm]:
        known = {alarm.kind for alarm in self.raised}
        new = [alarm for alarm in found if alarm.kind not in known]
        self.raised += new
        return new

    def state(self) -> dict[str, Any]:
        """Counters and what was raised."""
        raised = [[a.kind, a.iteration, a.message] for a in self.raised]
        return {"counters": dict(self._state), "evaluations": self._last, "raised": raised}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo to a `state`."""
        self._state = {key: float(value) for key, value in state["counters"].items()}
        evaluations = state["evaluations"] if "evaluations" in state else state["looks"]  # the name before
        self._last = [[float(value) for value in one] for one in evaluations]
        self.raised = [Alarm(str(k), int(i), str(m)) for k, i, m in state["raised"]]
