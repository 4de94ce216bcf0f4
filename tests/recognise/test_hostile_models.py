"""Model files whose description says anything at all."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.networks.lenet import ARCHITECTURE, LeNet
from captcha_lab.recognise.registry import load_reader
from captcha_lab.recognise.sequence.reader import SequenceFacts
from captcha_lab.recognise.tensors import SCALING
from captcha_lab.segment import Segmenter
from captcha_lab.store.runs import load_resume, save_weights

SOUND: dict[str, Any] = {
    "architecture": ARCHITECTURE,
    "classes": ["A", "B"],
    "size": 20,
    "channels": 1,
    "scaling": SCALING,
    "segmenter": Segmenter().to_dict(),
    "temperature": 1.0,
}
ODD: tuple[Any, ...] = ("x", None, [], 1.5, True)
CHANGED: list[tuple[str, Any]] = [
    *[("size", value) for value in ("x", None, [20], -1, 2000, 10**9, 10**30)],
    *[("classes", value) for value in (5, None, [], ["A"], [["A"], ["B"]], [1, 2])],
    *[("temperature", value) for value in ("x", None, [1], 0, -1, float("nan"), float("inf"))],
    *[("segmenter", value) for value in (5, [1], {"x": 1}, {"glyphs": 10**9}, {"size": 10**9})],
    *[("segmenter", {key: value}) for key in ("glyphs", "size") for value in ODD],
    *[("channels", value) for value in (10**9, "x", 0)],
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), CHANGED)
def test_a_description_that_does_not_fit_is_one_error(key: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    tensors = LeNet(2, 20, 1).state_dict()
    save_weights(path, tensors, SOUND)
    load_reader(path)
    save_weights(path, tensors, SOUND | {key: value})
    with pytest.raises(CaptchaLabError):
        load_reader(path)


NO_CHARACTERS: list[Any] = [5, [], ["a"], ["a", 1.5], ["a", ""], ["a", "a"]]
SEQUENCE: list[tuple[str, Any]] = [
    *[("classes", value) for value in NO_CHARACTERS],
    *[("forms", value) for value in NO_CHARACTERS if value != ["a", "a"]],
    *[("lengths", value) for value in ([0], [10**9], ["x"], 5)],
    *[("stretch", value) for value in (0, -1, 10**9, float("nan"), "x")],
    *[("temperature", value) for value in (0, -1, float("nan"), float("inf"), None)],
    *[("height", value) for value in (0, 8, 33, 264, 10**9, "x", None)],
    *[("residuals", value) for value in (-1, 10**9, 2**70, "x")],
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), SEQUENCE)
def test_a_sequence_readers_description_that_does_not_fit_is_one_error(
    key: str, value: Any, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    facts = SequenceFacts(("a", "b"), ("aA", "bB"))
    tensors = facts.network().state_dict()
    save_weights(path, tensors, facts.metadata())
    load_reader(path)
    save_weights(path, tensors, facts.metadata() | {key: value})
    with pytest.raises(CaptchaLabError):
        load_reader(path)


def test_a_checkpoint_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "resume.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(50 << 20))
    with pytest.raises(CaptchaLabError, match="claims more than it holds"):
        load_resume(tmp_path / "resume.pt")
