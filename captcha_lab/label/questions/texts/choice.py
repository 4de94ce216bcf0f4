"""Which captcha to ask next: what it teaches, what it puts right, what it costs in keys."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from captcha_lab.label.questions.types import EVEN_ODDS, LabelConfig
from captcha_lab.recognise.contract import Reading

PAGE_FROM = 0.8  # confidence from which a captcha goes on a page
LENGTH = 5  # characters of a captcha of which nothing is known
MEND_KEYS = 3  # an arrow, the right character, Enter
STRAY_KEYS = 5  # a wrong tile of a page: a click, and about as much typing as mending takes
LEARNING = 0.7  # exponent with which a reader's errors fall as its examples grow
FIRST = 10.0  # examples that what a reader knows from elsewhere is worth
LEAST_NEWS = 0.1  # share of an average example that even a confirmed sure reading teaches
AHEAD = 100  # captchas among which the next CHOSEN are chosen to be unlike each other
CHOSEN = 12


def keys_of(text: str, confidence: float) -> float:
    """Keys an answer is expected to take: Enter where the proposal is right, else mending or typing it."""
    wrong = min(MEND_KEYS, len(text) + 1)
    return confidence + (1 - confidence) * wrong if text and confidence >= EVEN_ODDS else float(len(text) + 1)


def doubt_of(reading: Reading) -> float:
    """Characters of a reading expected to be wrong."""
    if reading.per_character:
        return max(sum(1 - share for share in reading.per_character), 1 - reading.confidence)
    return (1 - reading.confidence) * max(len(reading.text), 1)


@dataclass
class TextChoice:
    """Ranks the captchas without a label.

    Attributes:
        waiting: their image ids, in the order they came.
        readings: what a reader makes of them; those without one are asked in the order they came.
        texts: the texts known so far.
        config: see `LabelConfig`.
        learns: whether the reader learns from the answers.
    """

    waiting: Sequence[int]
    readings: Mapping[int, Reading]
    texts: Collection[str]
    config: LabelConfig
    learns: bool

    @cached_property
    def seen(self) -> Counter[str]:
        """How often each character was labelled."""
        return Counter(character for text in self.texts for character in text)

    @cached_property
    def _doubts(self) -> dict[int, float]:
        """Characters expected to be wrong in each reading of what waits."""
        return {k: doubt_of(self.readings[k]) for k in self.waiting if k in self.readings}

    @cached_property
    def lesson(self) -> float:
        """Characters that an example of average doubt is expected to put right elsewhere."""
        return LEARNING * sum(self._doubts.values()) / (len(self.texts) + FIRST) if self.learns else 0.0

    @cached_property
    def _average(self) -> float:
        """Chance that a reading of what waits is wrong, on average."""
        known = [1 - self.readings[k].confidence for k in self._doubts]
        return max(sum(known) / max(len(known), 1), 1e-3)

    def _usual(self, seen: Counter[str]) -> float:
        return 1 / math.sqrt(1 + seen.total() / max(len(seen), 1))

    def _news(self, reading: Reading, rarity: Mapping[str, float], usual: float) -> float:
        """How much a captcha teaches, an average one 1: by its doubt, and by how seldom its characters came up."""
        if not reading.text:
            return 1.0
        rare = sum(rarity.get(c, 1.0) for c in reading.text) / len(reading.text)
        doubt = (1 - reading.confidence) / self._average
        return max(LEAST_NEWS, min(doubt, 3.0) * min(rare / usual, 3.0))

    def _gains(self, images: Iterable[int], seen: Counter[str]) -> dict[int, float]:
        """Characters put right by asking each of some captchas that have a reading."""
        rarity = {character: 1 / math.sqrt(1 + count) for character, count in seen.items()}
        usual = self._usual(seen)
        return {
            k: self._doubts[k] + self.lesson * self._news(self.readings[k], rarity, usual) for k in images
        }

    @cached_property
    def gains(self) -> dict[int, float]:
        """Characters put right by asking each captcha that waits and has a reading."""
        return self._gains(self._doubts, self.seen)

    def _keys(self, image_id: int) -> float:
        reading = self.readings[image_id]
        return keys_of(reading.text or "?" * LENGTH, reading.confidence)

    @cached_property
    def ranked(self) -> list[tuple[float, int]]:
        """(characters put right per key, image id) of what waits, best first."""
        unread = LENGTH / (LENGTH + 1)
        worth = [(self.gains[k] / self._keys(k) if k in self.gains else unread, k) for k in self.waiting]
        return sorted(worth, key=lambda pair: (-pair[0], pair[1])) if self.gains else worth

    def singles(self, held: Iterable[int]) -> list[tuple[float, int]]:
        """(worth, image id), best first; the first few are chosen to differ from each other and from `held`.

        Args:
            held: captchas that are asked already.
        """
        seen = Counter(self.seen)
        for k in held:
            if k in self.readings:
                seen.update(self.readings[k].text)
        pool = {k: worth for worth, k in self.ranked[:AHEAD] if k in self.gains}
        chosen: list[tuple[float, int]] = []
        while pool and len(chosen) < CHOSEN:
            gains = self._gains(pool, seen)
            best = max(pool, key=lambda k: (gains[k] / self._keys(k), -k))
            chosen.append((pool.pop(best), best))
            seen.update(self.readings[best].text)
        taken = {k for _, k in chosen}
        return chosen + [pair for pair in self.ranked if pair[1] not in taken]

    @cached_property
    def pages(self) -> list[tuple[float, list[int]]]:
        """(worth, image ids) of pages of captchas that are equally certain, least certain first on each."""
        likely = [k for k in self._doubts if self.readings[k].confidence >= PAGE_FROM]
        likely.sort(key=lambda k: (-self.readings[k].confidence, k))
        size = self.config.texts_on_page
        pages: list[tuple[float, list[int]]] = []
        for start in range(0, len(likely), size):
            page = likely[start : start + size][::-1]
            strays = sum(1 - self.readings[k].confidence for k in page)
            pages.append((sum(self.gains[k] for k in page) / (1 + STRAY_KEYS * strays), page))
        return sorted(pages, key=lambda page: -page[0])
