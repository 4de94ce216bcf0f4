"""A pattern that explodes ends with a word instead of never."""

import pytest

from captcha_lab.collect.exchange.matching import match_all
from captcha_lab.errors import CaptchaLabError


def test_what_a_pattern_finds() -> None:
    names = ["A1-x.png", "caf\udce9-y.png", "none"]
    assert match_all(r"(.+?)-(?P<text>\w)", names) == ["x", "y", None]
    assert match_all(r"(.+?)-\w", names) == ["A1", "caf\udce9", None]
    assert match_all(r"-\w", names) == ["-x", "-y", None]
    assert match_all("(a)?none", ["none"]) == [""]
    assert match_all("x", []) == []


def test_a_pattern_that_explodes_is_given_up() -> None:
    with pytest.raises(CaptchaLabError, match="as in"):
        match_all(r"^(a+)+$", ["a" * 60 + "!"], seconds=2.0)
