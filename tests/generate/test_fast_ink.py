"""The ink of our networks for glyphs stays in what a picture can show."""

import torch

from captcha_lab.generate.networks.fast import held


def gradient_at(value: float, slope: float) -> float:
    """Of slope * held(value)."""
    ink = torch.tensor([value], requires_grad=True)
    (slope * held(ink)).sum().backward()
    assert ink.grad is not None
    return float(ink.grad)


def test_ink_is_clamped_to_what_a_picture_can_show() -> None:
    assert held(torch.tensor([-0.5, 0.0, 0.3, 1.0, 1.5])).tolist() == [
        0.0,
        0.0,
        torch.tensor(0.3).item(),
        1.0,
        1.0,
    ]


def test_ink_outside_is_led_back_and_never_further_out() -> None:
    assert gradient_at(0.5, 2.0) == 2.0
    assert gradient_at(0.5, -2.0) == -2.0
    assert gradient_at(1.5, 2.0) == 2.0  # a step against it darkens
    assert gradient_at(1.5, -2.0) == 0.0
    assert gradient_at(-0.5, -2.0) == -2.0
    assert gradient_at(-0.5, 2.0) == 0.0
