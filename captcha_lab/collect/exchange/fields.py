"""What one field of many file names, or one column of a list, holds: judged by all its values together.

A captcha's text is drawn at random, place by place: its characters are spread alike over all places, and its values
lie anywhere. Counters, dates, hashes and identifiers each break one of these rules; the tests below measure which.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
DATE = (
    r"(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])"
    r"(?:[-_.T ]*(?:at )?(?:[01]\d|2[0-3])[-_.:h]?[0-5]\d[-_.:m]?[0-5]\d(?:[-_.]?\d{1,6})?Z?)?"
)
TEXT, DIGITS, HEX = "text", "digits", "hex digits"  # what may be captchas' texts; all other kinds may not
LONGEST_TEXT = 12  # characters
LONGEST_HEX = 6  # PHP's `substr(md5(rand()), 0, 6)` is a captcha; seven hex digits are a commit's name
LONGEST_DIGITS = 8
_HASH_LENGTHS = {32, 40, 56, 64, 96, 128}
_EPOCH = range(1_000_000_000, 2_200_000_000)  # seconds since 1970, years 2001 to 2039
# Names that cameras, browsers and people give; it matters only where there are too few names to compare.
_GENERIC = re.compile(
    r"(?i)(img|image|photo|pic|picture|dsc[fn]?|captcha|vcode|code|verify|yzm|screen ?shot|frame|sample|file|scan|"
    r"download|untitled|unnamed|test|train|val|data|copy|page|new|tmp|temp|out|output|input|default)s?"
)


def kind_of(values: Sequence[str], groups: Sequence[str] | None = None) -> str:
    """What a field's values are: `text`, `digits`, `hex digits`, or what no captcha's text is.

    Args:
        values: the field of each name, none empty; at least one.
        groups: of each value, the folder it is in: numbers are counted anew in each.
    """
    distinct = set(values)
    if all(re.fullmatch(UUID, v) for v in distinct):
        return "UUIDs"
    if _most(values, lambda v: re.fullmatch(DATE, v) is not None):
        return "dates"
    if len(distinct) == 1 and len(values) > 1:
        return "the same everywhere"
    if all(_GENERIC.fullmatch(v) for v in distinct):
        return "common words"
    numbers = [k for k, v in enumerate(values) if v.isascii() and v.isdigit()]
    if len(numbers) >= 0.95 * len(values):
        return _kind_of_digits([values[k] for k in numbers], groups and [groups[k] for k in numbers])
    if _most(values, lambda v: re.fullmatch(r"[A-Za-z]+\d+", v) is not None) and _numbered(values, groups):
        return "a running number"
    if _is_hex(distinct):
        longest = max(map(len, distinct))
        if longest > LONGEST_HEX:
            return "hashes"
        if sum(map(len, values)) >= 40:
            return HEX
    if any(len(v) in _HASH_LENGTHS and _is_hex({v}) for v in distinct):
        return "hashes"
    if np.median([len(v) for v in values]) > LONGEST_TEXT:
        return "longer than a captcha's text"
    if _are_groups(values):
        return "a few groups"
    if _is_identifier(values):
        return "identifiers"
    return TEXT


def _most(values: Sequence[str], test: Callable[[str], bool]) -> bool:
    return sum(map(test, values)) >= 0.95 * len(values)


def _are_groups(values: Sequence[str]) -> bool:
    """Whether values repeat as names of classes do."""
    distinct = len(set(values))
    return distinct < min(10, len(values) / 2) or (
        distinct <= 3 and distinct < len(values) and values[0].isalpha()
    )


def _is_hex(values: set[str]) -> bool:
    """Hex digits of one case, all equally long, with letters and digits among them."""
    used = set("".join(values))
    one_case = used <= set("0123456789abcdef") or used <= set("0123456789ABCDEF")
    return (
        one_case
        and len(set(map(len, values))) == 1
        and any(c.isdigit() for c in used)
        and any(c.isalpha() for c in used)
    )


def _numbered(values: Sequence[str], groups: Sequence[str] | None) -> bool:
    """Whether a few letters in front of a running number make up these values (`img12`, `scan7`)."""
    matches = [(k, m) for k, v in enumerate(values) if (m := re.fullmatch(r"([A-Za-z]+)(\d+)", v))]
    letters = {m[1] for _, m in matches}
    if len(values) < 2 or len(letters) > max(1, len(values) / 5):
        return len(values) == 1 and all(_GENERIC.fullmatch(name) for name in letters)
    rest = [m[2] for _, m in matches]
    there = [f"{groups[k] if groups else ''}/{m[1]}" for k, m in matches]
    return _kind_of_digits(rest, there) not in (DIGITS, "the same everywhere")


def _kind_of_digits(values: Sequence[str], groups: Sequence[str] | None) -> str:
    numbers = [int(v) for v in values]
    lengths = Counter(map(len, values))
    longest = max(lengths)
    if longest in (10, 13, 16, 19) and all(n // 10 ** (longest - 10) in _EPOCH for n in numbers):
        return "time stamps"
    if len(values) > 1 and _is_counter(values, groups):
        return "a running number"
    if longest > LONGEST_DIGITS:
        return "long numbers"
    if longest < 3:
        return "short numbers"
    if _are_groups(values):
        return "a few groups"
    if len(lengths) > 1:
        # Numbers without leading zeros are spread evenly over their range; texts of several lengths are not.
        padded = any(v[0] == "0" and len(v) > 1 for v in values)
        few = len(numbers) < 10  # too few to tell
        uneven = few or _distance_from_even(numbers) > 0.3 + 0.5 / math.sqrt(len(numbers))
        return DIGITS if padded or uneven else "numbers"
    return DIGITS if _same_at_all_places(values) else "numbers"


def _is_counter(values: Sequence[str], groups: Sequence[str] | None) -> bool:
    """Whether numbers stand closer together, or lower, than texts drawn at random ever would."""
    distinct = sorted({int(v) for v in values})
    if _runs(values) or (groups is not None and _runs_in_groups(values, groups)):
        return True
    # The share of all numbers that can be written with these digits in so many places which lies in their range.
    longest = max(map(len, values))
    if len(set(map(len, values))) == 1:
        symbols = {c: k for k, c in enumerate(sorted(set("".join(values))))}
        ranks = [sum(symbols[c] * len(symbols) ** k for k, c in enumerate(reversed(v))) for v in values]
        share = (max(ranks) - min(ranks) + 1) / len(symbols) ** longest
    elif any(v[0] == "0" and len(v) > 1 for v in values):
        share = (distinct[-1] - distinct[0] + 1) / 10**longest
    else:
        return False
    reaching = len({v for v in values if len(v) == longest})  # shorter ones lie low in any case
    return share < 0.67 and (reaching - 1) * math.log(share) < math.log(1e-4)


def _runs(values: Sequence[str]) -> bool:
    """Whether nearly all values differ and fill at least half of their range (in steps of their own)."""
    distinct = sorted({int(v) for v in values})
    if len(distinct) < 2 or len(distinct) < 0.9 * len(values):
        return False
    step = math.gcd(*np.diff(distinct).tolist())
    # Two or three values have a common step by chance.
    step = step if len(distinct) > 4 else 1
    return len(distinct) >= 0.5 * ((distinct[-1] - distinct[0]) // step + 1)


def _runs_in_groups(values: Sequence[str], groups: Sequence[str]) -> bool:
    pairs = sorted(zip(groups, values, strict=True))
    runs = [[v for _, v in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]
    long = [run for run in runs if len(run) > 1]
    return sum(map(len, long)) >= 0.5 * len(values) and all(map(_runs, long))


def _distance_from_even(numbers: Sequence[int]) -> float:
    """Kolmogorov-Smirnov distance between the numbers and an even spread over 0 … their largest."""
    ordered = np.sort(np.asarray(numbers, float)) / max(numbers)
    steps = np.arange(1, len(ordered) + 1) / len(ordered)
    return float(np.max(np.abs(steps - ordered)))


def _same_at_all_places(values: Sequence[str]) -> bool:
    """Whether digits are spread alike over all places, as where each is drawn for itself.

    Measured by the information (bits) that a place gives about its digit, less what chance gives in so few values,
    as a share of the digits' entropy.
    """
    if len(values) < 10:
        return True
    table = np.array([[ord(c) for c in v] for v in values])
    _, codes = np.unique(table, return_inverse=True)
    codes = codes.reshape(table.shape)
    count = codes.max() + 1
    by_place = np.array([np.bincount(column, minlength=count) for column in codes.T]) / len(values)
    entropy = _entropy(by_place.mean(axis=0))
    information = entropy - float(np.mean([_entropy(place) for place in by_place]))
    freedom = (table.shape[1] - 1) * (count - 1)
    draws = 2 * table.size * math.log(2)
    noise = (freedom + 3 * math.sqrt(2 * freedom)) / draws
    return bool(information - noise < 0.04 * max(entropy, 1e-9))


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def _is_identifier(values: Sequence[str]) -> bool:
    """Whether these are names that a machine gave: both cases and digits at length, or places that never change."""
    lengths = set(map(len, values))
    used = "".join(values)
    mixed = (
        any(c.islower() for c in used) and any(c.isupper() for c in used) and any(c.isdigit() for c in used)
    )
    if mixed and min(lengths) >= 8:
        return True
    if len(lengths) > 1 or len(values) < 10:
        return False
    constant = sum(len(set(place)) == 1 for place in zip(*values, strict=True))
    return constant >= max(2, max(lengths) / 3)
