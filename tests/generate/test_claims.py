"""The rules by which the thesis's claims are judged: each can hold and can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.store.workspace import Workspace
from scripts.benchmarks import claims
from scripts.benchmarks._experiments import ARMS, Record
from scripts.benchmarks._generators import trained_run
from scripts.benchmarks.thesis import claim, collapse_claim, gather_claim


def weights(at_limit: float) -> dict[str, np.ndarray]:
    """Two layers of which the second has this share of its weights at +-.05, the first none."""
    inner = np.random.default_rng(0).uniform(-0.04, 0.04, 1000)
    outer = inner.copy()
    outer[: int(at_limit * 1000)] = 0.05
    return {"convolution": inner, "dense": outer}


@pytest.mark.parametrize(
    ("clipped", "penalised", "holds"), [(0.4, 0.0, True), (0.01, 0.0, False), (0.4, 0.4, False)]
)
def test_weights_gather(clipped: float, penalised: float, holds: bool) -> None:
    found = gather_claim(
        "wdcgan", "wdcgan-gp", {"wdcgan": weights(clipped), "wdcgan-gp": weights(penalised)}, 0.05, 1.0
    )
    assert found["holds"] is holds
    assert f"dense {100 * clipped:.1f} %" in found["sentence"]
    assert gather_claim("wdcgan", "wdcgan-gp", {}, 0.05, 1.0)["holds"] is None
    both = {"wdcgan": weights(clipped), "wdcgan-gp": weights(penalised)}
    assert gather_claim("wdcgan", "wdcgan-gp", both, 0.05, 0.1)["holds"] is None


def test_one_system_like_another() -> None:
    near = {"a": {"beyond_baseline": 100.0, "faults": []}, "b": {"beyond_baseline": 90.0, "faults": []}}
    assert claim("text", near, "a", "b")["holds"] is True
    far = near | {"a": {"beyond_baseline": 200.0, "faults": []}}
    assert claim("text", far, "a", "b")["holds"] is False
    neither = {name: {"beyond_baseline": 1.0, "faults": ["noise"]} for name in "ab"}
    assert claim("text", neither, "a", "b")["holds"] is None


def test_a_collapse_of_the_printed_loss_alone() -> None:
    seen = {"gan-fc-printed": {"faults": ["collapsed"]}, "wgan-fc": {"faults": []}}
    assert collapse_claim(seen)["holds"] is True
    assert collapse_claim(seen | {"wgan-fc": {"faults": ["collapsed"]}})["holds"] is False


class Made(Record):
    """A run's history without a run."""

    def __init__(
        self, scores: dict[int, float], estimates: dict[int, float], held: float, reached: int
    ) -> None:
        self.arm = ARMS["wgan-fc"]
        self.held, self.reached = held, reached
        train = [
            {"kind": "train", "iteration": k, "wasserstein": v, "critic_loss": v, "generator_loss": -v}
            for k, v in estimates.items()
        ]
        self._made = train + [
            {
                "kind": "evaluation",
                "iteration": k,
                **dict.fromkeys(("score", "coverage", "variance_ratio"), v),
            }
            for k, v in scores.items()
        ]

    @property
    def _lines(self) -> list[dict[str, Any]]:
        return self._made

    def at_limit(self, limit: float) -> float:
        return self.held

    def modes(self) -> int:
        return self.reached


MARKS = range(10, 60, 10)
GOOD = Made({k: k / 60 for k in MARKS}, {k: 60.0 - k for k in MARKS}, 0.4, 8)
POOR = Made({k: 0.1 - k / 1000 for k in MARKS}, {k: 60.0 - k for k in MARKS}, 0.0, 3)


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (claims.like("a", 50, "b", 50), (GOOD, POOR), (POOR, GOOD)),
        (claims.fails_beside("a", "b"), (POOR, GOOD), (GOOD, POOR)),
        (claims.survives("a", "b"), (GOOD, POOR), (POOR, GOOD)),
        (claims.collapse("a"), (POOR, GOOD), (GOOD, GOOD)),
        (claims.varies("a"), (GOOD, GOOD), (POOR, GOOD)),
        (claims.follows("a", "wasserstein"), (GOOD, GOOD), (POOR, GOOD)),
        (claims.does_not_follow("a", ("critic_loss", "wasserstein")), (POOR, GOOD), (GOOD, GOOD)),
        (claims.gathers("a", "b"), (GOOD, POOR), (GOOD, GOOD)),
        (claims.more_modes("a", "b"), (GOOD, POOR), (POOR, POOR)),
    ],
)
def test_each_rule_can_be_kept_and_broken(
    rule: Callable[[claims.Take, int], claims.Found], kept: tuple[Made, Made], broken: tuple[Made, Made]
) -> None:
    for (a, b), expected in ((kept, True), (broken, False)):
        found, said = rule({"a": a, "b": b}.__getitem__, 0)
        assert found is expected
        assert any(c.isdigit() for c in said)


def test_what_the_seeds_say_together() -> None:
    assert claims.verdict([True, True, True]) == "holds"
    assert claims.verdict([False, False, False]) == "does not hold"
    assert claims.verdict([True, False, True]) == "not decided"
    assert claims.verdict([None, True, True]) == "not decided"
    assert claims.verdict([None, True, True, True]) == "holds"
    assert claims.more_modes("a", "b")({"a": POOR, "b": GOOD}.__getitem__, 0)[0] is None


def test_the_saturation_claim_is_computed() -> None:
    kept, said = claims.saturation(lambda arm: GOOD, 0)
    assert kept is True
    assert "e-" in said


@pytest.mark.parametrize("arm", list(ARMS))
def test_every_arm_is_a_recipe(arm: str) -> None:
    made = ARMS[arm]
    assert choose(Choice(recipe=made.recipe, changes=made.changes)).name.startswith(made.recipe)


def test_finished_runs_are_kept_and_interrupted_ones_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, seen = Workspace(tmp_path), []
    place = workspace.models / "arm-4-0"

    def train(workspace: Workspace, folder: object, choice: object, config: object, name: str) -> Ended:
        seen.append(f"train {name}")
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
        return Ended(interrupted=True)

    def resume(workspace: Workspace, name: str) -> Ended:
        seen.append(f"resume {name}")
        (place / "summary.json").write_text("{}")
        return Ended(interrupted=False)

    monkeypatch.setattr("scripts.benchmarks._generators.pipeline.train_generator", train)
    monkeypatch.setattr("scripts.benchmarks._generators.pipeline.resume_generator", resume)

    def run() -> Path:
        folder = workspace.dataset("captcha")
        return trained_run(workspace, folder, Choice(), GeneratorConfig(), "arm-4-0").root

    with pytest.raises(KeyboardInterrupt):
        run()
    assert run() == run() == place
    assert seen == ["train arm-4-0", "resume arm-4-0"]


@dataclass(frozen=True)
class Ended:
    """What is asked of a run's report."""

    interrupted: bool
