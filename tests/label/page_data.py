"""A small dataset of drawn captchas, and an engine that knows their texts: deterministic and without training."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.asking import record
from captcha_lab.label.questions.types import (
    Answer,
    Confusion,
    CurvePoint,
    Estimate,
    Item,
    Member,
    Outcome,
    Panel,
    Queue,
)
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import encode
from captcha_lab.store.workspace import DatasetFolder

CHARACTERS = "ABCDEFGH234"
LENGTH = 4


def make_dataset(
    root: Path, captchas: int = 30, characters: str = CHARACTERS
) -> tuple[DatasetFolder, list[str]]:
    """A dataset of `captchas` distinct pictures (80x20) and their texts, in the order of their ids."""
    import cv2

    folder = DatasetFolder(root / "datasets" / "captcha")
    blobs = BlobStore(folder.blobs)
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list(characters), LENGTH)) for _ in range(captchas)]
    with Catalog(folder.catalog_path) as catalog, catalog.transaction():
        catalog.set_meta("alphabet", characters)
        for number, text in enumerate(texts):
            image = np.full((20, 80, 3), 255, np.uint8)
            for k, character in enumerate(text):
                ink = tuple(int(v) for v in rng.integers(0, 90, 3))
                cv2.putText(
                    image, character, (20 * k + 4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA
                )
            image[0, 0] = number % 256, 240, 240
            data = encode(image)
            catalog.add_image(blobs.put(data, "png"), "png", 80, 20, len(data))
    return folder, texts


class KnowingEngine:
    """Clusters and proposals from the texts; everything else as the page needs it."""

    def __init__(self, folder, texts, wrong=frozenset()) -> None:
        self.log = LabelLog(Catalog(folder.catalog_path, create=False))
        self.texts = {k + 1: text for k, text in enumerate(texts)}
        self.wrong = wrong  # places whose proposal is wrong
        self.trainings = 0
        self._lock = threading.Lock()

    def guess(self, place: tuple[int, int]) -> str:
        """The proposal for a place."""
        right = self.texts[place[0]][place[1]]
        return "2" if place in self.wrong and right != "2" else right

    def _member(self, place: tuple[int, int], *, blind: bool = False) -> Member:
        label = self.log.current().get(place)
        return Member(
            place[0] * LENGTH + place[1],
            *place,
            label=None if blind or label is None else label.value,
            source=None if blind or label is None else label.source,
            proposal=None if blind else self.guess(place),
            confidence=0.0 if blind else (0.35 if place in self.wrong else 0.93),
        )

    def _open(self) -> list[tuple[int, int]]:
        done = self.log.current()
        return [(k, p) for k in self.texts for p in range(LENGTH) if (k, p) not in done]

    def _groups(self) -> dict[str, list[tuple[int, int]]]:
        groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place in self._open():
            groups[self.guess(place)].append(place)
        return dict(sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])))

    def items(self, queue: str, count: int, exclude: frozenset[str]) -> list[Item]:
        """The next questions of a queue."""
        with self._lock:
            made = getattr(self, f"_{queue}")(self.log.revision)
            return [item for item in made if item.id not in exclude][:count]

    def _seed(self, revision: int) -> list[Item]:
        return [
            Item(
                f"seed-{places[0]}",
                "seed",
                "cluster",
                tuple(self._member(p, blind=True) for p in places),
                None,
                float(len(places)),
                revision,
                "the largest group without a label",
            )
            for places in self._groups().values()
        ]

    def _uncertain(self, revision: int) -> list[Item]:
        places = sorted(self._open(), key=lambda p: p not in self.wrong)
        return [
            Item(
                f"uncertain-{p}",
                "uncertain",
                "glyph",
                (self._member(p),),
                self.guess(p),
                1.0,
                revision,
                "least sure",
            )
            for p in places
        ]

    def _grid(self, revision: int) -> list[Item]:
        made = []
        for value, places in self._groups().items():
            tiles = tuple(self._member(p) for p in sorted(places, key=lambda p: p not in self.wrong))
            made.append(
                Item(f"grid-{value}", "grid", "page", tiles, value, float(len(tiles)), revision, "one class")
            )
        return made

    def _suspects(self, revision: int) -> list[Item]:
        current = self.log.current()
        places = [p for p, label in current.items() if label.value != self.texts[p[0]][p[1]]]
        return [
            Item(
                f"suspects-{p}",
                "suspects",
                "glyph",
                (self._member(p),),
                self.texts[p[0]][p[1]],
                0.9,
                revision,
                "disputed",
            )
            for p in places
        ]

    def _audit(self, revision: int) -> list[Item]:
        return [
            Item(
                f"audit-{p}",
                "audit",
                "glyph",
                (self._member(p, blind=True),),
                None,
                0.0,
                revision,
                "blind sample",
            )
            for p in self.log.current()
        ]

    def _captcha(self, revision: int) -> list[Item]:
        open_ids = sorted({image for image, _ in self._open()})
        return [
            Item(
                f"captcha-{k}",
                "captcha",
                "captcha",
                tuple(self._member((k, p)) for p in range(LENGTH)),
                "".join(self.guess((k, p)) for p in range(LENGTH)),
                4.0,
                revision,
                "a whole picture",
            )
            for k in open_ids
        ]

    def queues(self) -> list[Queue]:
        """All six."""
        revision = self.log.revision
        made = {
            "seed": "Look-alikes",
            "uncertain": "Uncertain",
            "grid": "Pages",
            "suspects": "Suspects",
            "audit": "Audit",
            "captcha": "Whole captchas",
        }
        found = []
        for name, title in made.items():
            items = getattr(self, f"_{name}")(revision)
            found.append(
                Queue(name, title, len(items), items[0].worth if items else 0.0, f"the {name} queue")
            )
        return found

    def panel(self) -> Panel:
        """Plain counts; the estimates are made up, which only the looks of the page depend on."""
        current = self.log.current()
        hand = sum(label.source == "human" for label in current.values())
        total = len(self.texts) * LENGTH
        return Panel(
            self.log.revision,
            total,
            len(current),
            hand,
            self.log.keystrokes(),
            Estimate(0.981, 0.968, 0.989, "model", 420),
            Estimate(0.99, 0.94, 0.998, "audit", 60),
            (CurvePoint(10, 0.7), CurvePoint(20, 0.9), CurvePoint(40, 0.97), CurvePoint(60, 0.981)),
            0.995,
            41,
            len(self._open()),
            0.983,
            (Confusion("B", "8", 3), Confusion("5", "S", 2)),
            "seed",
            len(current) == total,
            "Look-alikes first: one key labels a whole group.",
            True,
            False,
        )

    def answer(self, answer: Answer) -> Outcome:
        """Save it."""
        act = record(self.log, answer)
        return Outcome(act, act, tuple(mark[:2] for mark in (*answer.typed, *answer.spread)))

    def accept_rest(self, *, session, keystrokes, token, expected_revision) -> Outcome | None:
        """Save all proposals."""
        known = self.log.act_named(token)
        spread = tuple((*place, self.guess(place)) for place in self._open())
        if not spread and known is None:
            return None
        act = self.log.record(
            "rest",
            [LabelEvent(*mark, source="batch") for mark in spread],
            session=session,
            keystrokes=keystrokes,
            token=token,
            expected_revision=expected_revision,
        )
        return Outcome(act, act, tuple(mark[:2] for mark in spread))

    def refresh(self) -> None:
        """Nothing is kept between questions."""

    def retrain(self) -> None:
        """Count."""
        self.trainings += 1


def maker(texts: list[str], wrong: frozenset[tuple[int, int]] = frozenset()):
    """What makes a `KnowingEngine` for a desk."""

    def make(folder: DatasetFolder, alphabet: Alphabet, progress) -> KnowingEngine:
        return KnowingEngine(folder, texts, wrong)

    return make
