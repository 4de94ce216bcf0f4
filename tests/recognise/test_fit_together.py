"""Two processes that train together come to the weights that one comes to with the same batches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.processes import started

TRAINING = """
import json, torch
from torch import nn
from captcha_lab.parallel import join_group
from captcha_lab.recognise.fit import FitConfig, fit
from captcha_lab.recognise.networks.batch_norm import BatchNorm

group = join_group()
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(3, 4, bias=False), BatchNorm(4), nn.ReLU(), nn.Linear(4, 1))

def batch(step):
    x = torch.randn(7 if step % 5 == 4 else 6, 3, generator=torch.Generator().manual_seed(step))
    rows = group.rows(len(x))  # seven can't be divided: both take them all
    return x[rows], x[rows].sum(1, keepdim=True)

def objective(network, batch):
    return {"loss": (network(batch[0]) - batch[1]).square().mean()}

config = FitConfig(20, 1e-2, evaluate_every=5)
evaluated = lambda: {"leads": float(group.leads)}
state = fit(network, batch, objective, config, evaluated, lambda figures: (-figures["train_loss"],), group=group)
weights = torch.cat([values.detach().flatten() for values in network.parameters()])
losses = [figures["train_loss"] for figures in state.history]
leads = [figures["leads"] for figures in state.history]
print(json.dumps({"losses": losses, "weights": weights.tolist(), "leads": leads}))
"""


def trained(world: int) -> list[dict[str, list[float]]]:
    processes = started([sys.executable, "-c", TRAINING], Path(__file__).parents[2], world)
    return [json.loads(process.communicate(timeout=300)[0]) for process in processes]


def test_two_processes_train_as_one_does() -> None:
    (alone,) = trained(1)
    first, second = trained(2)
    assert alone["losses"][-1] < alone["losses"][0]
    for one in (first, second):
        assert one["losses"] == pytest.approx(alone["losses"], rel=1e-4)
        assert one["weights"] == pytest.approx(alone["weights"], rel=1e-3, abs=1e-4)
        assert one["leads"] == [1.0] * 4  # what the first one measured holds for both
