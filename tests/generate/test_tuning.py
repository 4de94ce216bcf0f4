"""How a run chooses precision and threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training import tuning
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.training.tuning import choose_precision, choose_threads, limited
from tests.generate.generator_tools import data, shrunk


@pytest.mark.parametrize(
    ("units", "able"), [({"amx_bf16"}, True), ({"avx512_bf16"}, True), ({"avx512_f"}, False)]
)
def test_bfloat16_only_where_processor_and_recipe_allow_it(
    units: set[str], able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name: name in units for name in ("amx_bf16", "avx512_bf16", "avx512_f")}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    fast, dcgan = get_recipe("fast"), get_recipe("dcgan")
    assert choose_precision(fast, "auto", "cpu") == ("bfloat16" if able else "float32")
    assert choose_precision(dcgan, "auto", "cpu") == "float32"
    assert choose_precision(dcgan, "bfloat16", "cpu") == "bfloat16"


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("one", "all_", "chosen"), [(0.02, 0.06, 1), (0.02, 0.01, 2), (0.5, 0.9, 1), (3.0, 9.0, 2)]
)
def test_the_faster_number_of_threads_is_taken_and_nothing_is_trained(
    one: float, all_: float, chosen: int, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    recipe = shrunk(get_recipe("dcgan"))
    trainer = Trainer(recipe, data(recipe), 9)
    weights = {key: value.clone() for key, value in trainer.players.generator.state_dict().items()}
    seconds = {1: one, 2: all_}
    monkeypatch.setattr(tuning, "_fastest", lambda t, tries: t.iterate() and seconds[torch.get_num_threads()])
    assert choose_threads(trainer, None) == chosen
    assert torch.get_num_threads() == 2
    assert trainer.iteration == 0
    assert all(
        torch.equal(value, weights[key]) for key, value in trainer.players.generator.state_dict().items()
    )


def test_threads_that_were_asked_for_are_not_measured(
    monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    recipe = shrunk(get_recipe("dcgan"))
    monkeypatch.delattr(tuning, "_fastest")
    assert choose_threads(Trainer(recipe, data(recipe), 9), 1) == 1


def test_the_limit_ends_with_the_block(two_threads: None) -> None:
    with limited(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
