import pytest

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.errors import UsageError


def test_the_thesis_alphabet_leaves_out_what_people_confuse() -> None:
    assert len(Alphabet()) == 32
    assert not set("01IO") & set(THESIS_ALPHABET)


def test_encode_and_decode_are_inverse() -> None:
    alphabet = Alphabet("xyz1")
    assert alphabet.encode("1zx") == [3, 2, 0]
    assert alphabet.decode([3, 2, 0]) == "1zx"


def test_fold_changes_case_only_where_that_helps() -> None:
    assert Alphabet("ABc").fold("abCB?") == "ABcB?"
    assert Alphabet("aA").fold("aA") == "aA"


@pytest.mark.parametrize(
    ("characters", "says"),
    [("", "empty"), ("ABA", "repeats A"), ("A B", "' '"), ("A\n", "visible")],
)
def test_an_impossible_alphabet_is_refused(characters: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Alphabet(characters)


def test_a_foreign_character_is_named() -> None:
    with pytest.raises(UsageError, match="'O' is not in the alphabet"):
        Alphabet().index("O")
