from pathlib import Path

import pytest

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.workspace import Workspace


def test_the_current_folder_is_the_workspace_where_nothing_says_otherwise(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path)
    assert workspace.root == tmp_path.resolve()
    assert workspace.dataset().root == tmp_path.resolve() / "datasets" / "captcha"


def test_a_configuration_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "captcha-lab.toml").write_text('dataset = "mine"\nlength = 5\nalphabet = "0123456789"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    workspace = Workspace.find(inner)
    assert workspace.root == tmp_path.resolve()
    assert workspace.dataset().name == "mine"
    assert workspace.config.length == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataset = ", "TOML"),
        ("colour = 3", "unknown key 'colour'"),
        ('length = "4"', "length must be a int"),
        ("length = -1", "at least 1"),
        ('alphabet = "AAB"', "repeats A"),
        ('dataset = "../up"', "can't name a dataset"),
    ],
)
def test_a_bad_configuration_names_file_and_cure(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "captcha-lab.toml").write_text(text)
    with pytest.raises(CaptchaLabError, match=says) as caught:
        Workspace.find(tmp_path)
    assert "captcha-lab.toml" in str(caught.value)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\x00b", "x" * 101])
def test_a_dataset_name_is_no_path(tmp_path: Path, name: str) -> None:
    if name == "":
        assert Workspace(tmp_path).dataset(name).name == "captcha"  # empty means the default
        return
    with pytest.raises(UsageError):
        Workspace(tmp_path).dataset(name)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 20_000,
        "a = " + "{b = " * 20_000,
        "dataset = 'x'\0",
        "length = 1e999",
        "length = " + "9" * 5000,
    ],
)
def test_a_configuration_of_any_depth_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "captcha-lab.toml").write_text(text)
    with pytest.raises(CaptchaLabError, match=r"captcha-lab\.toml"):
        Workspace.find(tmp_path)


def test_a_byte_order_mark_in_the_configuration_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "captcha-lab.toml").write_text("length = 5", encoding="utf-8-sig")
    assert Workspace.find(tmp_path).config.length == 5
