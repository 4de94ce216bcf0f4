"""The one training loop: resumed exactly, ended early, the best weights kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.fit import SCHEDULES, Figures, FitConfig, FitState, fit

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))


def batches(step: int) -> tuple[Tensor, Tensor]:
    rows = torch.randint(64, (16,), generator=torch.Generator().manual_seed(step))
    return X[rows], Y[rows]


def objective(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    return {"loss": ((model(batch[0])[:, 0] - batch[1]) ** 2).mean()}


def trained(
    steps: int, planned: int = 60, checkpoint: Path | None = None, **settings: float
) -> tuple[nn.Module, FitState]:
    """Train for `steps` of `planned` steps, as if killed then."""
    model = network()

    class KilledError(Exception):
        pass

    def on_step(done: int, total: int, loss: float) -> None:
        assert total == planned
        assert 0 < loss < 100
        if done == steps and steps < planned:
            raise KilledError

    def evaluate() -> Figures:
        return {"validation_loss": float(objective(model, (X, Y))["loss"])}

    config = FitConfig(planned, 1e-2, "one-cycle", evaluate_every=7, seed=3, **settings)  # type: ignore[arg-type]
    try:
        return model, fit(
            model, batches, objective, config, evaluate, lambda f: (-f["validation_loss"],), checkpoint,
            on_step=on_step,
        )  # fmt: skip
    except KilledError:
        return model, FitState()


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captcha_lab.recognise.fit.SAVE_EVERY", -1.0)  # at every step
    whole, state = trained(60)
    trained(33, checkpoint=tmp_path / "resume.pt")
    again, resumed = trained(60, checkpoint=tmp_path / "resume.pt")
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert (resumed.step, resumed.best, resumed.waited) == (state.step, state.best, state.waited)
    assert [f["validation_loss"] for f in resumed.history] == [f["validation_loss"] for f in state.history]
    assert [f["train_loss"] for f in resumed.history] == [f["train_loss"] for f in state.history]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import tests.recognise.test_fit as t
import captcha_lab.recognise.fit as fit
fit.SAVE_EVERY = -1.0
save = fit.save_resume
def saving(path, state):
    save(path, state)
    if state["state"]["step"] == 21:
        os.kill(os.getpid(), signal.SIGKILL)
fit.save_resume = saving
t.trained(60, checkpoint=Path(sys.argv[1]))
"""


def test_it_survives_kill_9(tmp_path: Path) -> None:
    path, root = tmp_path / "resume.pt", Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(root)], cwd=root, env=os.environ, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert trained(60)[1].best == trained(60, checkpoint=path)[1].best


def test_the_best_weights_are_kept_and_patience_ends_it() -> None:
    scores = iter([1.0, 3.0, 2.0, 2.0, 2.0, 9.0])
    kept: list[Tensor] = []
    model = network()

    def evaluate() -> Figures:
        kept.append(next(iter(model.parameters())).detach().clone())
        return {"score": next(scores)}

    config = FitConfig(100, 0.1, evaluate_every=5, patience=3)
    state = fit(model, batches, objective, config, evaluate, lambda figures: (figures["score"],))
    assert (state.step, state.best) == (25, (3.0,))
    assert torch.equal(next(iter(model.parameters())), kept[1])
    assert not model.training


def test_without_an_evaluation_it_runs_to_its_end() -> None:
    state = fit(network(), batches, objective, FitConfig(40, 1e-2, evaluate_every=10, patience=2))
    assert state.step == 40
    assert len(state.history) == 4
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]


def test_a_time_limit_ends_it() -> None:
    state = fit(network(), batches, objective, FitConfig(10**9, 1e-2, "cosine", time_limit=0.2))
    assert 0 < state.step < 10**6


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_stay_between_nothing_and_the_highest_rate(name: str) -> None:
    rates = [SCHEDULES[name](k / 100) for k in range(101)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert max(rates) > 0.99


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / "resume.pt").write_bytes(b"junk" * 100)
    with pytest.raises(CaptchaLabError, match=r"resume.pt can't be read"):
        trained(60, checkpoint=tmp_path / "resume.pt")
