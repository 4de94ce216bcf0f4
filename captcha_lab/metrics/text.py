"""Texts read beside texts that are right: edit distance, alignment, character error rate, what is taken for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from captcha_lab.errors import UsageError
from captcha_lab.metrics.intervals import Share, share_of, wilson

Pair = tuple[str, str]  # a character of the truth and what is read for it; "" where there is none


def align(truth: str, read: str) -> list[Pair]:
    """The pairs of one cheapest way to turn the truth into what was read, in order.

    A pair with an empty second part is a character that was not read, one with an empty first part a character read
    that is not there. Cheapest is by the number of insertions, deletions and substitutions (Levenshtein 1966; table of
    Wagner and Fischer 1974); of several, one with the most equal pairs, which are then paired as early as possible.

    >>> align("AB7", "A8B")
    [('A', 'A'), ('', '8'), ('B', 'B'), ('7', '')]
    """
    table, scale = _table(truth, read)
    pairs: list[Pair] = []
    i, j = len(truth), len(read)
    while i or j:
        cost = table[i][j]
        if i and cost == table[i - 1][j] + scale:
            i -= 1
            pairs.append((truth[i], ""))
        elif j and cost == table[i][j - 1] + scale:
            j -= 1
            pairs.append(("", read[j]))
        else:
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
    return pairs[::-1]


def edit_distance(truth: str, read: str) -> int:
    """Fewest insertions, deletions and substitutions between two texts.

    >>> edit_distance("kitten", "sitting")
    3
    """
    table, scale = _table(truth, read)
    return -(-table[-1][-1] // scale)  # rounded up: equal pairs make it a little less


def _table(first: str, second: str) -> tuple[list[list[int]], int]:
    """Cost of turning every prefix of the first text into every prefix of the second, and what one edit costs.

    An edit costs more than all equal pairs together earn, so these only decide between equally many edits.
    """
    scale = len(first) + len(second) + 1
    rows = [[scale * j for j in range(len(second) + 1)]]
    for i, a in enumerate(first, 1):
        row = [scale * i]
        for j, b in enumerate(second, 1):
            paired = rows[-1][j - 1] + (-1 if a == b else scale)
            row.append(min(rows[-1][j] + scale, row[-1] + scale, paired))
        rows.append(row)
    return rows, scale


def text_accuracy(truths: Sequence[str], readings: Sequence[str]) -> Share:
    """Share of texts that are read right as a whole.

    Raises:
        UsageError: the numbers of texts differ.

    >>> text_accuracy(["AB", "CD"], ["AB", "C"]).value
    0.5
    """
    _check(truths, readings)
    return share_of([truth == read for truth, read in zip(truths, readings, strict=True)])


def character_accuracy(truths: Sequence[str], readings: Sequence[str]) -> Share:
    """Share of the characters of the truth that are read as themselves, by alignment.

    >>> character_accuracy(["ABCD"], ["XABC"])[3:]
    (3, 4)
    """
    pairs = [pair for pair in _pairs(truths, readings) if pair[0]]
    return wilson(sum(truth == read for truth, read in pairs), len(pairs))


def character_error_rate(truths: Sequence[str], readings: Sequence[str]) -> float:
    """Edit distances over the number of characters of the truth, 0 … (above 1 where much more is read than is there).

    `nan` where the truth has no character.

    >>> character_error_rate(["ABCD", "EF"], ["ABC", "EFG"])  # one missing, one too many, of six
    0.3333333333333333
    """
    _check(truths, readings)
    total = sum(map(len, truths))
    wrong = sum(edit_distance(truth, read) for truth, read in zip(truths, readings, strict=True))
    return wrong / total if total else float("nan")


def confusions(truths: Sequence[str], readings: Sequence[str]) -> dict[Pair, int]:
    """How often each character is read as another, "" for none, the most frequent first.

    >>> confusions(["O1", "O2"], ["01", "0"])
    {('O', '0'): 2, ('2', ''): 1}
    """
    counts = Counter(pair for pair in _pairs(truths, readings) if pair[0] != pair[1])
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _pairs(truths: Sequence[str], readings: Sequence[str]) -> list[Pair]:
    _check(truths, readings)
    return [pair for truth, read in zip(truths, readings, strict=True) for pair in align(truth, read)]


def _check(truths: Sequence[str], readings: Sequence[str]) -> None:
    if len(truths) != len(readings):
        raise UsageError(f"{len(truths)} texts do not match {len(readings)} readings.")
