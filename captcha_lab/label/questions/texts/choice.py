"""Which captcha to ask next: what it teaches, what it puts right, what it costs in keys."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
AHEAD = 100  # captchas among which the next few are chosen to be unlike each other


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
    _news: dict[int, float] = field(init=False, default_factory=dict)

    @cached_property
    def seen(self) -> Counter[str]:
        """How often each character was labelled."""
        return Counter(character for text in self.texts for character in text)

    @cached_property
    def lesson(self) -> float:
        """Characters that an example of average doubt is expected to put right elsewhere."""
        if not self.learns:
            return 0.0
        wrong = sum(doubt_of(reading) for k in self.waiting if (reading := self.readings.get(k)))
        return LEARNING * wrong / (len(self.texts) + FIRST)

    @cached_property
    def _average(self) -> float:
        known = [1 - self.readings[k].confidence for k in self.waiting if k in self.readings]
        return max(sum(known) / max(len(known), 1), 1e-3)

    def news(self, image_id: int, seen: Counter[str]) -> float:
        """How much a captcha teaches, an average one 1: by its doubt, and by how seldom its characters came up."""
        reading = self.readings.get(image_id)
        if reading is None or not reading.text:
            return 1.0
        rare = sum(1 / math.sqrt(1 + seen[c]) for c in reading.text) / len(reading.text)
        usual = 1 / math.sqrt(1 + seen.total() / max(len(seen), 1))
        doubt = (1 - reading.confidence) / self._average
        return max(LEAST_NEWS, min(doubt, 3.0) * min(rare / usual, 3.0))

    def worth(self, image_id: int, seen: Counter[str] | None = None) -> float:
        """Characters put right per key by asking one captcha."""
        reading = self.readings.get(image_id)
        if reading is None:
            return LENGTH / (LENGTH + 1)
        gain = doubt_of(reading) + self.lesson * self.news(image_id, self.seen if seen is None else seen)
        return gain / keys_of(reading.text or "?" * LENGTH, reading.confidence)

    def singles(self, held: Iterable[int]) -> list[tuple[float, int]]:
        """(worth, image id), best first; the first few are chosen to differ from each other and from `held`.

        Args:
            held: captchas that are asked already.
        """
        ranked = sorted(((self.worth(k), k) for k in self.waiting), key=lambda pair: (-pair[0], pair[1]))
        seen = Counter(self.seen)
        for k in held:
            if k in self.readings:
                seen.update(self.readings[k].text)
        pool = ranked[:AHEAD]
        chosen: list[tuple[float, int]] = []
        while pool and len(chosen) < 12:
            best = max(pool, key=lambda pair: (self.worth(pair[1], seen), -pair[1]))
            pool.remove(best)
            chosen.append(best)
            if best[1] in self.readings:
                seen.update(self.readings[best[1]].text)
        return chosen + pool + ranked[AHEAD:]

    def pages(self) -> list[tuple[float, list[int]]]:
        """(worth, image ids) of pages of captchas that are equally certain, least certain first on each."""
        likely = [k for k in self.waiting if k in self.readings and self.readings[k].confidence >= PAGE_FROM]
        likely.sort(key=lambda k: (-self.readings[k].confidence, k))
        size = self.config.texts_on_page
        pages: list[tuple[float, list[int]]] = []
        for start in range(0, len(likely), size):
            page = likely[start : start + size][::-1]
            strays = sum(1 - self.readings[k].confidence for k in page)
            gain = sum(doubt_of(self.readings[k]) + self.lesson * self.news(k, self.seen) for k in page)
            pages.append((gain / (1 + STRAY_KEYS * strays), page))
        return sorted(pages, key=lambda page: -page[0])
