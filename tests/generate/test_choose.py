"""From options to a recipe."""

from __future__ import annotations

import pytest

from captcha_lab.errors import UsageError
from captcha_lab.generate.choose import FACES, Choice, choose, defaults_for, quicker, reason
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.overview import random_stream
from captcha_lab.generate.training.trainer import Trainer


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        (Choice(loss="wgan", label=True), "fast-wgan-label"),
        (Choice(loss="wgan"), "fast-wgan"),
        (Choice(recipe="wdcgan", label=True), "wdcgan-label"),
        (Choice(recipe="fast-wgan-label", label=False), "fast-wgan"),
        (Choice(loss="gan"), "dcgan"),
        (Choice(loss="gan", label=True), "dcgan-label"),
        (Choice(loss="wgan", label=True, update=True), "wdcgan-update-label"),
        (Choice(loss="wgan", update=True), "wdcgan-update"),
        (Choice(recipe="wdcgan", update=True), "wdcgan-update"),
        (Choice(recipe="wdcgan-update-label", update=False), "wdcgan-label"),
        (Choice(recipe="wdcgan-label", label=False), "wdcgan"),
        (Choice(recipe="wdcgan-update", label=True), "wdcgan-update-label"),
        (Choice(loss="lsgan"), "lsgan"),
        (Choice(loss="acgan"), "acgan"),
        (Choice(recipe="magan"), "magan"),
        (Choice(recipe="slides-cgan", label=True), "slides-cgan"),
    ],
)
def test_named_forms(choice: Choice, name: str) -> None:
    assert choose(choice) == get_recipe(name)


def test_overrides_show_in_the_name() -> None:
    made = choose(
        Choice(recipe="wdcgan-label", critic_steps=2, clip=0.02, learning_rate=1e-3, changes=("ema=0.9",))
    )
    assert (made.critic_steps, made.clip, made.learning_rate, made.ema) == (2, 0.02, 1e-3, 0.9)
    assert made.name == "wdcgan-label+clip=0.02,learning_rate=0.001,critic_steps=2,ema=0.9"


def test_a_label_form_that_no_recipe_has() -> None:
    made = choose(Choice(recipe="cs231n-dcgan", label=True))
    assert made.conditioning == "concat"
    assert made.name == "cs231n-dcgan+conditioning=concat"
    assert choose(Choice(recipe="acgan", label=False)).auxiliary_weight == 0.0


def test_a_wasserstein_loss_gets_a_constraint() -> None:
    assert choose(Choice(recipe="dcgan", loss="wgan")).clip == 0.05
    assert choose(Choice(recipe="dcgan", loss="wgan", clip=0.3)).clip == 0.3
    assert choose(Choice(recipe="wdcgan-gp", loss="wgan")).clip == 0.0
    assert choose(Choice(recipe="fast", loss="wgan")).clip == 0.0  # R1 and R2


def test_an_energy_loss_gets_an_auto_encoding_critic_and_takes_it_away_again() -> None:
    made = choose(Choice(recipe="wdcgan", loss="magan"))
    assert made.options == {**get_recipe("wdcgan").options, "critic": "autoencoder"}
    assert "critic" not in choose(Choice(recipe="magan", loss="gan")).options
    fully = choose(Choice(recipe="gan-fc", loss="magan"))
    with pytest.raises(UsageError, match="--recipe magan has an auto-encoding critic"):
        Trainer(fully, random_stream(fully), 1)


def test_options_that_no_network_can_have() -> None:
    for value, message in (
        ('{"codes": -3}', "option codes of the networks 'fast' is -3: give a number that is not below zero"),
        ('{"generator": 500}', "Networks of family 'fast' can't be built with"),
    ):
        made = choose(Choice(recipe="fast", changes=(f"options={value}",)))
        with pytest.raises(UsageError, match=message):
            Trainer(made, random_stream(made), 1)


def test_an_update_named_twice_is_one() -> None:
    name = "face-wgan-deconv-update"
    assert choose(Choice(recipe=name, update=True)) == get_recipe(name)


def test_steps_given_by_hand_end_the_switching_rule() -> None:
    made = choose(Choice(recipe="wdcgan-update-restated", critic_steps=3))
    assert (made.opening, made.switch, made.critic_steps) == (None, False, 3)


def test_options_are_merged() -> None:
    made = choose(Choice(recipe="wdcgan-update", changes=('options={"spectral": true}',)))
    assert made.options == {**get_recipe("wdcgan-update").options, "spectral": True}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(recipe="nope"), "No recipe 'nope'"),
        (Choice(loss="nope"), "No loss 'nope': choose one of .*gan"),
        (Choice(recipe="dcgan", loss="nope"), "No loss 'nope'"),
        (Choice(recipe="dcgan", changes=("colour=3",)), "--set colour=3: write FIELD=VALUE with one of"),
        (Choice(recipe="dcgan", changes=("ema",)), "--set ema: write FIELD=VALUE"),
        (Choice(recipe="dcgan", changes=("options=3",)), "--set options=3: .* for example options="),
        (Choice(recipe="dcgan", changes=("learning_rate=abc",)), "--set learning_rate=abc: .*valid number"),
        (Choice(recipe="dcgan", changes=("reuse_fake=no",)), "--set reuse_fake=no: .*valid boolean"),
        (Choice(recipe="dcgan", changes=("noise_size=true",)), "--set noise_size=true: .*valid integer"),
        (Choice(recipe="dcgan", changes=("batch_size=1.5",)), "--set batch_size=1.5: .*valid integer"),
        (Choice(recipe="wdcgan-update", changes=("opening=5",)), r"--set opening=5: .*opening=\[50,5,1\]"),
        (Choice(loss="acgan", label=False), "leave --no-label away"),
        (Choice(recipe="face-wgan-deconv-update", update=False), "has no form without the update"),
        (Choice(recipe="dcgan", clip=-1.0), "clip is -1.0, below zero"),
    ],
)
def test_nonsense_is_refused(choice: Choice, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(choice)


def test_unlabelled_data() -> None:
    with pytest.raises(UsageError, match=r"needs labels and the data has none: run `captcha-lab label`"):
        choose(Choice(loss="wgan", label=True), labelled=False)
    assert not choose(Choice(loss="wgan"), labelled=False).labelled


@pytest.mark.parametrize(
    ("shape", "choice", "name"),
    [
        ((20, 20), Choice(), "fast"),
        ((64, 64, 3), Choice(), "face-fast"),
        ((64, 64, 3), Choice(label=True), "face-fast-label"),
        ((64, 64), Choice(label=False), "face-fast"),
        ((128, 128, 3), Choice(loss="wgan", update=True, label=False), "face-wdcgan-update"),
        ((128, 128, 3), Choice(loss="gan", label=False), "face-dcgan"),
    ],
)
def test_defaults_follow_the_pictures(shape: tuple[int, ...], choice: Choice, name: str) -> None:
    label = choice.label if choice.label is not None else len(shape) == 2
    made = choose(choice, labelled=label, defaults=defaults_for(shape))
    assert made == get_recipe(name)


def test_light_ink_on_black_has_a_default_of_its_own() -> None:
    assert choose(Choice(), defaults=defaults_for((28, 28), dark=True)) == get_recipe("fast-digits")


def test_ours_stands_for_a_loss_on_glyphs_alone_and_says_which_recipe_is_the_sources() -> None:
    asked = Choice(loss="wgan", label=True)
    glyphs, digits, faces = (
        defaults_for((20, 20)),
        defaults_for((28, 28), dark=True),
        defaults_for((64, 64, 3)),
    )
    ours = choose(asked, defaults=glyphs)
    assert "which is --recipe wdcgan-label." in reason(asked, ours, glyphs)
    assert quicker(ours, glyphs) == "--max-seconds or --iterations shortens it"
    assert "--recipe fast learns faster" in quicker(get_recipe("wdcgan"), glyphs)
    for kind, name in ((digits, "wdcgan-label"), (faces, "face-wdcgan+conditioning=concat")):
        made = choose(asked, defaults=kind)
        assert made.name == name
        assert "source's own" not in reason(asked, made, kind)


def test_a_loss_that_faces_do_not_have_is_refused_with_those_they_have() -> None:
    assert choose(Choice(loss="hinge", label=False), defaults=FACES).loss == "hinge"
    with pytest.raises(UsageError, match="wgan"):
        choose(Choice(loss="vae"), defaults=FACES)
