"""The captcha queue without an engine: whole pictures typed straight into the log, ready at once."""

from __future__ import annotations

import json
from dataclasses import dataclass

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.facts import alphabet_of
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.questions.types import Item, Member, Queue
from captcha_lab.segment import Segmenter
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog


@dataclass(frozen=True)
class Ground:
    """What is known of a dataset before anything is computed."""

    alphabet: Alphabet
    segmenter: Segmenter
    images: tuple[int, ...]

    @classmethod
    def of(cls, catalog: Catalog, configured_alphabet: str = "", glyphs: int = 4) -> Ground:
        """Read it.

        Raises:
            CaptchaLabError: the dataset holds no captchas.
        """
        images = tuple(row.id for row in catalog.images())
        if not images:
            raise CaptchaLabError(
                f"Dataset {catalog.path.parent.name} holds no captchas: run `captcha-lab scrape` or "
                "`captcha-lab import` first."
            )
        stored = catalog.get_meta("segmenter")
        return cls(
            alphabet_of(catalog, configured_alphabet),
            Segmenter.from_dict(json.loads(stored)) if stored else Segmenter(glyphs=glyphs),
            images,
        )


class PlainCaptchas:
    """Captchas that have a place without a label, in the order they came."""

    def __init__(self, log: LabelLog, ground: Ground) -> None:
        self._log, self._images, self._glyphs = log, ground.images, ground.segmenter.glyphs
        self._known: tuple[int, list[int]] | None = None  # revision, what waited then

    def queues(self) -> list[Queue]:
        """The one queue."""
        count = len(self._waiting(self._log.revision))
        return [Queue("captcha", "Whole captchas", count, 1.0, "type the text of a whole picture")]

    def items(self, count: int, exclude: frozenset[str]) -> list[Item]:
        """The next questions."""
        revision = self._log.revision
        waiting = [k for k in self._waiting(revision) if f"captcha-{k}" not in exclude]
        return [
            Item(
                f"captcha-{k}",
                "captcha",
                "captcha",
                tuple(Member(-1, k, p) for p in range(self._glyphs)),
                None,
                1.0,
                revision,
            )
            for k in waiting[:count]
        ]

    def _waiting(self, revision: int) -> list[int]:
        if self._known is None or self._known[0] != revision:
            labels = self._log.current()
            places = range(self._glyphs)
            self._known = revision, [k for k in self._images if any((k, p) not in labels for p in places)]
        return self._known[1]
