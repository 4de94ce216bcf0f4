"""What file names say: texts are found in every convention, and nothing else is taken for one."""

import hashlib
import random
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from captcha_lab.collect.exchange.names import find_pattern, stem_of

ALPHABETS = {
    "mixed": "23456789ABCDEFGHJKLMNPQRSTUVWXYZ",
    "digits": "0123456789",
    "few digits": "23456789",
    "letters": "abcdefghijklmnopqrstuvwxyz",
    "chinese": "中国一二三四五六七八九十山水",
    "accents": "ÄÖÜÉÈÑÇ",
}


def texts(alphabet: str, count: int, seed: int, length: tuple[int, int] = (4, 4)) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(ALPHABETS[alphabet], k=draw.randint(*length))) for _ in range(count)]


def md5(k: int) -> str:
    return hashlib.md5(str(k).encode()).hexdigest()


CONVENTIONS: dict[str, Callable[[str, int], str]] = {
    "TEXT_index": lambda text, k: f"{text}_{k:04d}.png",
    "index first": lambda text, k: f"{k:04d}_{text}.png",
    "unpadded index": lambda text, k: f"{k}-{text}.jpg",
    "TEXT_md5": lambda text, k: f"{text}_{md5(k)}.png",
    "md5_TEXT": lambda text, k: f"{md5(k)}_{text}.png",
    "short hash": lambda text, k: f"{text}.{md5(k)[:8]}.png",
    "UUID": lambda text, k: f"{uuid.UUID(md5(k))}_{text}.png",
    "time stamp": lambda text, k: f"{text}_{1612345678 + 37 * k}.png",
    "date first": lambda text, k: f"2023-01-{k % 28 + 1:02d} {text}.png",
    "prefix": lambda text, k: f"captcha_{text}_{k}.png",
    "prefix without separator": lambda text, k: f"yzm{text}_{k}.jpeg",
    "TEXT-1": lambda text, k: f"{text}-{k % 2 + 1}.png",
    "TEXT (1)": lambda text, k: f"{text}{['', ' (1)', ' (2)'][k % 3]}.png",
    "quoted": lambda text, k: f"{quote(text)}_{k}.png",
    "two endings": lambda text, k: f"{text}_{k}.jpg.png",
    "folders": lambda text, k: f"{('train', 'test')[k % 2]}/{text}_{k // 2:03d}.PNG",
}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("count", [4, 12, 200])
def test_texts_are_found_in_every_convention(convention: str, alphabet: str, count: int) -> None:
    wanted = texts(alphabet, count, seed=count)
    names = [CONVENTIONS[convention](text, k) for k, text in enumerate(wanted)]
    found = find_pattern(names)
    assert found.sure, found.message
    assert list(found.texts) == wanted
    assert all(example in found.message for example in wanted[:3])


@pytest.mark.parametrize("seed", range(30))
def test_digits_of_several_lengths_before_a_number(seed: int) -> None:
    wanted = texts("digits", 30, seed, length=(3, 6))
    found = find_pattern([f"{text}_{k:06d}.png" for k, text in enumerate(wanted)])
    assert found.sure, found.message
    assert list(found.texts) == wanted


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_bare_texts_of_any_length(alphabet: str) -> None:
    wanted = list(dict.fromkeys(texts(alphabet, 300, seed=3, length=(3, 6))))
    found = find_pattern([f"{text}.png" for text in wanted])
    assert found.sure, found.message
    assert list(found.texts) == wanted


def stamp(k: int) -> datetime:
    return datetime(2023, 1, 15) + timedelta(seconds=random.Random(k).random() * 86400 * 20)


NO_TEXTS: dict[str, Callable[[int], str]] = {
    "counter": lambda k: f"{k + 1:04d}.png",
    "unpadded counter": lambda k: f"{k}.png",
    "steps": lambda k: f"{25 * k:05d}.png",
    "camera": lambda k: f"IMG_{k + 1:04d}.JPG",
    "camera, joined": lambda k: f"DSC{k + 1:05d}.JPG",
    "counter in brackets": lambda k: f"captcha ({k + 1}).png",
    "download": lambda k: f"download{f' ({k})' if k else ''}.png",
    "md5": lambda k: f"{md5(k)}.png",
    "crc": lambda k: f"{md5(k)[:8]}.png",
    "UUID": lambda k: f"{uuid.UUID(md5(k))}.png",
    "epoch": lambda k: f"{1612345678 + 3701 * k}.png",
    "milliseconds": lambda k: f"{1612345678123 + 3700123 * k}.png",
    "fractions": lambda k: f"{1612345678 + 37 * k}.{random.Random(k).randrange(10**6):06d}.png",
    "date and time": lambda k: f"{stamp(k):%Y%m%d_%H%M%S}.png",
    "date, time, fraction": lambda k: f"{stamp(k):%Y%m%d_%H%M%S_%f}.png",
    "screenshots": lambda k: f"{stamp(k):Screenshot %Y-%m-%d at %H.%M.%S}.png",
    "two folders": lambda k: f"{('train', 'test')[k % 2]}/{k // 2:03d}.png",
    "classes": lambda k: f"{('cat', 'dog')[k % 2]}_{k:04d}.png",
    "people": lambda k: (
        f"{('Aaron', 'Bob', 'Carl', 'Dora')[k % 4]}_{('Adams', 'Brown', 'Clark')[k % 3]}_{k:04d}.jpg"
    ),
    "unlabelled export": lambda k: f"_{k + 1:06d}.png",
    "identifiers": lambda k: f"{uuid.UUID(md5(k)).int:x}"[:9] + "Zq.png",
}


@pytest.mark.parametrize("kind", NO_TEXTS)
@pytest.mark.parametrize("count", [5, 20, 300])
def test_other_names_are_no_texts(kind: str, count: int) -> None:
    names = [NO_TEXTS[kind](k) for k in range(count)]
    found = find_pattern(names)
    assert not found.sure, found.message
    assert Path(names[0]).name in found.message or "--pattern" in found.message
    assert "--labels filename" in found.message or "--pattern" in found.message


@pytest.mark.parametrize("most", [5_000, 202_600])
def test_a_sample_of_numbered_pictures_is_no_set_of_digits(most: int) -> None:
    width = len(str(most - 1))
    numbers = sorted(random.Random(most).sample(range(1, most), 100))
    assert not find_pattern([f"{n:0{width}d}.jpg" for n in numbers]).sure
    assert not find_pattern([f"{n}.jpg" for n in numbers]).sure


def test_one_name_alone_is_sure_only_where_a_number_follows() -> None:
    assert find_pattern(["A7KX_0.png"]).texts == ("A7KX",)
    assert find_pattern(["A7KX_0.png"]).sure
    assert not any(find_pattern([name]).sure for name in ("A7KX.png", "IMG_0001.png", "captcha.png", "1.png"))


def test_two_fields_that_may_be_texts_are_offered_both() -> None:
    one, other = texts("letters", 50, 1), texts("letters", 50, 2)
    found = find_pattern([f"{a}_{b}.png" for a, b in zip(one, other, strict=True)])
    assert not found.sure
    assert found.message.count("--pattern") == 2
    assert one[0] in found.message
    assert other[0] in found.message


def test_the_offered_patterns_take_what_they_show() -> None:
    one, other = texts("letters", 50, 1), texts("letters", 50, 2)
    names = [f"x_{a}_{b}.png" for a, b in zip(one, other, strict=True)]
    patterns = re.findall(r"--pattern '([^']+)'", find_pattern(names).message)
    taken = [[m[1] for name in names if (m := re.search(p, name))] for p in patterns]
    assert taken == [one, other]


def test_quoted_texts_and_unlabelled_captchas_of_our_own_export() -> None:
    found = find_pattern(
        ["A7%5Fx_000001.png", "%2E%2E_000002.png", "%C3%84%C3%B6Z%2D_000003.png", "_000004.png"]
    )
    assert found.sure
    assert found.texts == ("A7_x", "..", "ÄöZ-", None)


def test_texts_are_composed() -> None:
    found = find_pattern([f"{letter}u\u0308x_{k}.png" for k, letter in enumerate("abcdef")])
    assert found.texts[0] == "aüx"


def test_stems() -> None:
    assert stem_of("a/b.c/TEXT.jpg.png") == "TEXT"
    assert stem_of("A7KX.JFIF") == "A7KX"


@pytest.mark.parametrize("name", ["ustc/train", "ustc/test", "digits4", "words5", "seu", "ustc"])
def test_real_names(name: str, shared_data: Path) -> None:
    root = shared_data / name
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix in (".png", ".jpg"))
    found = find_pattern(names)
    assert found.sure, found.message
    assert list(found.texts) == [Path(n).stem.split("_")[0] for n in names]
